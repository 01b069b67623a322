import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules.condition.condition import ConditionError, read_condition
from rules.condition.parse import parse
from rules.condition.tree import Const, Negate, Node, Path
from rules.limits import Limits
from tests.rules.condition.trees import TREES, shape, written

LIMITS = Limits()


def read(source: str) -> Node:
    return parse(source, LIMITS)


def refusal(source: str, limits: Limits = LIMITS) -> ConditionError:
    with pytest.raises(ConditionError) as caught:
        parse(source, limits)
    return caught.value


@pytest.mark.parametrize(
    ("source", "same"),
    [
        ("a || b && c", "a || (b && c)"),
        ("a && b || c && d", "(a && b) || (c && d)"),
        ("a == b && c", "(a == b) && c"),
        ("a + b < c", "(a + b) < c"),
        ("a + b * c - d", "(a + (b * c)) - d"),
        ("a / b % c * d", "((a / b) % c) * d"),
        ("a - b - c", "(a - b) - c"),
        ("a < b == c", "(a < b) == c"),
        ("a in b == c", "(a in b) == c"),
        ("a + b in c", "(a + b) in c"),
        ("!a && b", "(!a) && b"),
        ("-a + b", "(-a) + b"),
        ("-a.b[0]", "-(a.b[0])"),
        ("!a.startsWith('x')", "!(a.startsWith('x'))"),
        ("!!a", "!(!a)"),
        ("(a).b", "a.b"),
        ("a['b']", "a.b"),
        ("a.`b`", "a.b"),
        ("`a`", "a"),
        ("size(a)", "a.size()"),
        ("matches(a, 'x')", "a.matches('x')"),
        ("a in [1, 2,]", "a in [1, 2]"),
        ("--5 == a", "5 == a"),
        ("((((a))))", "a"),
    ],
)
def test_precedence_and_spelling(source: str, same: str) -> None:
    assert shape(read(source)) == shape(read(same))


def test_chains_of_and_and_or_are_flat_unless_parentheses_say_otherwise() -> None:
    assert len(read("a && b && c && d").operands) == 4
    assert len(read("a && (b && c) && d").operands) == 3


def test_a_minus_right_before_a_number_belongs_to_it() -> None:
    assert read("-5") == Const(-5, 0)
    assert read("- 5.5") == Const(-5.5, 0)
    assert read("-9223372036854775808") == Const(-(2**63), 0)
    assert read("-(5)") == Negate(Const(5, 2), 0)


def test_words_of_the_language_are_names_behind_a_point_or_between_backticks() -> None:
    assert read("a.has.size.package") == Path(("a", "has", "size", "package"), 0)
    assert read("has") == Path(("has",), 0)
    assert read("`in`.`true`") == Path(("in", "true"), 0)


@given(TREES)
def test_a_tree_written_as_source_parses_to_the_same_tree(tree: Node) -> None:
    source = written(tree)
    try:
        parsed = read(source)
    except ConditionError as error:
        assert "condition_depth" in str(error)
    else:
        assert shape(parsed) == shape(tree)


@pytest.mark.parametrize(
    ("source", "position", "message"),
    [
        ("", 0, "unexpected end of the condition at character 1; an operand is missing"),
        ("  // nothing", 12, "unexpected end of the condition"),
        ("temp > 30 ||)", 12, "unexpected ')' at character 13; an operand is missing"),
        ("a >", 3, "unexpected end of the condition at character 4; an operand is missing"),
        ("a == == b", 5, "unexpected '=='"),
        ("a b", 2, "unexpected 'b' at character 3; an operator such as '&&' or '==' is missing"),
        ("a)", 1, "unexpected ')' at character 2; there is no '(' for it"),
        ("a]", 1, "there is no '[' for it"),
        ("(a", 2, "')' is missing for the '(' at character 1"),
        ("a in [1, 2", 10, "']' is missing for the '[' at character 6"),
        ("a in [1 2]", 8, "unexpected '2' at character 9; ']' is missing"),
        ("a in [,]", 6, "unexpected ','"),
        ("size(a,)", 7, "unexpected ')'"),
        ("a and b", 2, "unexpected 'and' at character 3; 'and' is written '&&'"),
        ("a or b", 2, "'or' is written '||'"),
        ("not a", 4, "unexpected 'a' at character 5"),
        ("in", 0, "unexpected 'in'"),
        ("a.in", 2, "the name of a field or function is missing"),
        ("a.", 2, "the name of a field or function is missing"),
        ("a.5", 1, "unexpected '.5'"),
        ("a[b]", 2, "in brackets goes a text or a whole number"),
        ("a[-1]", 2, "in brackets goes a text or a whole number from 0"),
        ("a[1.0]", 2, "in brackets goes"),
        ("a[true]", 2, "in brackets goes"),
        ("a[0", 3, "']' is missing for the '[' at character 2"),
        ("'ab'[0]", 4, "unexpected part of a value at character 5; only fields have parts"),
        ("(a + b).c", 7, "only fields have parts"),
        ("package == 1", 0, "the word is reserved; write `package` for a field"),
        (".a", 0, "unexpected '.'"),
        ("a == " + "x" * 60 + "]", 65, "unexpected ']'"),
        ("a " + "x" * 60, 2, "unexpected '" + "x" * 39 + "…' at character 3"),
    ],
)
def test_a_refusal_names_the_place_and_what_to_do(source: str, position: int, message: str) -> None:
    error = refusal(source)
    assert message in str(error)
    assert error.position == position


def test_the_source_is_bounded_in_bytes() -> None:
    most = LIMITS.condition_bytes
    assert read("a" + " " * (most - 1))
    error = refusal("a" + " " * most)
    assert str(error) == f"more than {most} bytes (condition_bytes) at character {most + 1}"
    assert "(condition_bytes)" in str(refusal("a == '" + "é" * (most // 2) + "'"))


@pytest.mark.parametrize(
    ("left", "middle", "right"),
    [
        ("(", "a", ")"),
        ("!", "a", ""),
        ("-", "a", ""),
        ("1 + (", "a", ")"),
        ("a || b && c < d + e * (", "a", ")"),
        ("a in [", "a", "]"),
        ("size(", "a", ")"),
        ("a.contains(", "a", ")"),
    ],
)
def test_nesting_is_bounded(left: str, middle: str, right: str) -> None:
    limits = Limits(condition_bytes=2_000_000, condition_nodes=1_000_000)
    error = refusal(left * 5_000 + middle + right * 5_000, limits)
    assert "nested deeper than 32 levels (condition_depth)" in str(error)
    assert 0 <= error.position <= len(left) * 34
    if left == "(":
        assert read("(" * 31 + "a" + ")" * 31)
        assert refusal("(" * 32 + "a" + ")" * 32).position == 32


@pytest.mark.parametrize("op", ["+", "-", "*", "/", "%", "==", "<", "in"])
def test_a_chain_of_operators_is_nested_too(op: str) -> None:
    assert read(f" {op} ".join("a" * 32))
    assert "(condition_depth)" in str(refusal(f" {op} ".join("a" * 33)))
    long = Limits(condition_bytes=2_000_000, condition_nodes=1_000_000)
    assert "(condition_depth)" in str(refusal(f" {op} ".join("a" * 5_000), long))


@pytest.mark.parametrize("step", [".a", "[0]", "['a']"])
def test_a_path_is_bounded(step: str) -> None:
    assert read("a" + step * 31)
    assert "(condition_depth)" in str(refusal("a" + step * 32))


def test_the_parts_are_counted() -> None:
    assert read(" || ".join("a" * 499))
    error = refusal(" || ".join("a" * 500))
    assert str(error) == (
        "more than 500 parts (condition_nodes) at character 2496; "
        "write several rules, or x in [...] for many comparisons"
    )


def test_a_list_is_bounded_by_a_limit_of_its_own() -> None:
    thousand = ",".join(["7"] * 1_000)
    assert read(f"a in [{thousand}]")
    assert read(f"a in [{thousand},]")
    error = refusal(f"a in [{thousand},8]")
    assert str(error) == "more than 1000 members of a list (list_literal) at character 2007"


@given(st.text(max_size=200))
@example("\ud800")
@example("a" * 5_000)
@example("((((" * 1_000)
def test_any_text_is_a_condition_or_refused(source: str) -> None:
    try:
        read_condition(source)
    except ConditionError as error:
        assert 0 <= error.position <= len(source)
        assert str(error) == error.message


_WORDS = re.findall(
    r"\S+|\n",
    r"""a b.c in has( size( .matches( .contains( ( ) [ ] , ' " r' `x` 1 2.5 -1 0x 1e9 + - * / % == != < >=
    && || ! null true .startsWith('a') ['k'] [0] \ . .all( timestamp( ? : { } // ''' """,
)


@given(st.lists(st.sampled_from(_WORDS), max_size=40).map(" ".join))
def test_any_heap_of_words_is_a_condition_or_refused(source: str) -> None:
    try:
        condition = read_condition(source)
    except ConditionError as error:
        assert 0 <= error.position <= len(source)
    else:
        assert shape(parse(written(condition.tree), LIMITS)) == shape(condition.tree)


@given(TREES, st.integers(0, 200), st.text(max_size=2))
def test_a_condition_with_a_slip_of_the_pen_is_a_condition_or_refused(tree: Node, at: int, slip: str) -> None:
    source = written(tree)
    try:
        read_condition(source[:at] + slip + source[at + 1 :])
    except ConditionError as error:
        assert error.position >= 0


@pytest.mark.parametrize(
    "unit",
    [
        "a||",
        "a&&",
        "[",
        "'a',",
        '"""',
        "'''a",
        '""+',
        "`",
        "a.b.",
        "a[0]",
        "1+",
        "//x\n",
        "\\",
        "9",
        "!-",
        "r'",
    ],
)
def test_no_source_takes_more_than_time_in_proportion(unit: str) -> None:
    limits = Limits(condition_bytes=1_000_000, condition_nodes=10**9, list_literal=10**9)
    source = unit * (100_000 // len(unit))
    begun = time.perf_counter()
    for text in (source, "a in [" + source):
        with pytest.raises(ConditionError):
            parse(text, limits)
    # A square of the length would take minutes.
    assert time.perf_counter() - begun < 10
