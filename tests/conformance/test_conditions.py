"""Conditions against another implementation of CEL: the Rust one, through common-expression-language.

It is fed doubles, as CEL does no arithmetic between integers and doubles. Where conditions mean something
else on purpose, `DEVIATIONS` says what and why, and holds both to it.
"""

from typing import Any

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.condition.condition import EvaluationError, read_condition

FAILED = "an error"

DEVIATIONS: list[tuple[str, bool | str, object, str]] = [
    # source, what a condition says, what CEL says, why
    ("1 + 1.5 == 2.5", True, FAILED, "JSON has one type of numbers: a producer sends 5 or 5.0 at will"),
    ("1 / 2 == 0.5", True, False, "and so division can't depend on how a number was written"),
    ("5.0 % 3.0 == 2.0", True, FAILED, "the remainder is defined for doubles too"),
    ("9007199254740993 == 9007199254740992.0", False, True, "integers and doubles compare exactly"),
    ("9007199254740993 > 9007199254740992.0", True, False, "integers and doubles compare exactly"),
    ("9223372036854775807 < 9223372036854775808", True, FAILED, "one type reaches from -2^63 to 2^64-1"),
    ("9223372036854775807 + 1 > 0", True, FAILED, "one type reaches from -2^63 to 2^64-1"),
    ("1.0 / 0.0 > 1.0", FAILED, True, "infinity is no JSON number, and hides a fault in a rule"),
    ("1e308 * 10.0 > 1.0", FAILED, True, "infinity is no JSON number"),
    ("0.0 / 0.0 == 1.0", FAILED, False, "not a number is no JSON number"),
    ("true > false", FAILED, True, "an order of booleans is a slip far more often than a wish"),
    ("[1.0] + [2.0] == [1.0, 2.0]", FAILED, True, "'+' is for numbers and texts: results stay bounded"),
    ("absent == null", True, FAILED, "in stored form a column that is absent is null"),
    ("absent > 1.0 || true", True, True, "(the error is absorbed by both)"),
    ("has(n)", True, FAILED, "has() takes a column: it is a field of the record"),
    ("has(o.null_part)", False, True, "a null part is as absent as a null column"),
    ("has(z.a)", False, FAILED, "has() is never an error: it is what guards against errors"),
    ("has(s.a)", False, FAILED, "has() is never an error"),
    ("has(o.absent.a)", False, FAILED, "has() is never an error"),
    ("has(o['a'])", True, FAILED, "names that are no identifiers are guarded too"),
    ("`n` == 1.5", True, FAILED, "backticks name columns that are no identifiers"),
    ("matches(s, 'b')", True, FAILED, "CEL's own standard function, which the Rust package lacks"),
    (
        "'é'.size() == 1",
        True,
        False,
        "a text's size is its code points, as CEL says; the Rust package counts bytes",
    ),
    ("s.matches(s)", FAILED, True, "patterns are compiled, and refused, with the rule"),
    (r"'٣'.matches(r'\d')", False, True, "RE2's classes are ASCII, as CEL says; the Rust package's are not"),
    ("n > 1.0 ? true : false", FAILED, True, "not in the subset"),
    ("[1.0, 2.0].exists(x, x > 1.0)", FAILED, True, "not in the subset: its cost has no small bound"),
    ("{'a': 1.0}.a == 1.0", FAILED, True, "not in the subset"),
    ("[1.0, 2.0][0] == 1.0", FAILED, True, "only fields have parts"),
    ("double(1) == 1.0", FAILED, True, "not in the subset: there is nothing to convert"),
    (
        "timestamp('2024-01-01T00:00:00Z') == timestamp('2024-01-01T00:00:00Z')",
        FAILED,
        True,
        "not in the subset",
    ),
    ("1u == 1u", FAILED, True, "JSON has no unsigned numbers"),
    ("b'a' == b'a'", FAILED, True, "JSON has no bytes"),
]

RECORD: dict[str, Any] = {
    "n": 1.5,
    "m": -2.0,
    "s": "abc",
    "t": "é",
    "f": True,
    "g": False,
    "z": None,
    "l": [1.5, "abc", None, True],
    "o": {"a": 1.5, "null_part": None, "in_text": "abc", "deep": {"b": [0.0]}},
}


def ours(source: str, record: dict[str, Any]) -> bool | str:
    try:
        return read_condition(source).matches(record)
    except Exception as error:
        # Only what the package documents may come out of it.
        assert isinstance(error, EvaluationError) or type(error).__name__ == "ConditionError"
        return FAILED


def theirs(source: str, record: dict[str, Any]) -> object:
    try:
        result = cel.evaluate(source, record)
    except (ValueError, TypeError, RuntimeError, KeyError, IndexError, OverflowError):
        return FAILED
    return result if isinstance(result, bool) else FAILED


@pytest.mark.parametrize(("source", "own", "of_cel", "reason"), DEVIATIONS)
def test_a_deviation_is_as_listed(source: str, own: object, of_cel: object, reason: str) -> None:
    assert reason
    assert (ours(source, RECORD), theirs(source, RECORD)) == (own, of_cel)


_NUMBERS = st.sampled_from(
    ["n", "m", "0.0", "1.0", "1.5", "-2.0", "2.5e3", ".5", "o.a", "o['a']", "l[0]", "o.deep.b[0]"]
)
_TEXTS = st.sampled_from(
    ["s", "t", "'abc'", '"é"', "''", r"r'b\c'", r"'\u0061bc'", "'''a'b'''", "o.in_text", "l[1]"]
)
_BOOLEANS = st.sampled_from(["f", "g", "true", "false", "has(o.a)", "has(o.absent)", "l[3]"])
_LISTS = st.sampled_from(["l", "[]", "[1.0, 'abc', null]", "[true, n, s]", "o.deep.b", "[[1.5]]"])
_OTHERS = st.sampled_from(["z", "null", "o", "o.absent", "l[9]", "z.a", "s.a", "n[0]", "o.deep"])
_ORDER = st.sampled_from(["<", "<=", ">", ">="])


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(" ".join)


def _sums(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    divided = _joined(inner, st.just("/"), st.sampled_from(["4.0", "n", "-0.5"]))
    return st.one_of(_joined(inner, st.sampled_from("+-*"), inner), divided, inner.map("-({})".format))


_CALCULATED = st.recursive(
    _NUMBERS, lambda inner: st.one_of(_sums(inner), inner.map("({})".format)), max_leaves=5
)
_JOINED_TEXTS = st.one_of(_TEXTS, _joined(_TEXTS, st.just("+"), _TEXTS))
_ANYTHING = st.one_of(_CALCULATED, _JOINED_TEXTS, _BOOLEANS, _LISTS, _OTHERS)
_NO_BOOLEANS = st.one_of(
    _CALCULATED, _JOINED_TEXTS, st.sampled_from(["z", "null", "o", "o.absent", "z.a", "n[0]"])
)
_SIZED = st.one_of(
    st.sampled_from(["s", "''", "(s + 'x')", "o.in_text", "l[1]"]),
    _LISTS,
    st.sampled_from(["o", "n", "z", "f"]),
)
_PREDICATES = st.one_of(
    _joined(_ANYTHING, st.sampled_from(["==", "!="]), _ANYTHING),
    _joined(_CALCULATED, _ORDER, _CALCULATED),
    _joined(_JOINED_TEXTS, _ORDER, _JOINED_TEXTS),
    _joined(_NO_BOOLEANS, _ORDER, _ANYTHING),
    _joined(_BOOLEANS, _ORDER, _NO_BOOLEANS),
    _joined(_ANYTHING, st.just("in"), _LISTS),
    _joined(
        st.one_of(_JOINED_TEXTS, _OTHERS), st.just("in"), st.sampled_from(["o", "o.deep", "s", "n", "z"])
    ),
    st.builds(
        "({}).{}({})".format,
        st.one_of(_JOINED_TEXTS, _NUMBERS, _OTHERS),
        st.sampled_from(["startsWith", "endsWith", "contains"]),
        st.one_of(_JOINED_TEXTS, _JOINED_TEXTS, _NUMBERS),
    ),
    st.builds(
        "({}).matches({})".format,
        st.one_of(_JOINED_TEXTS, _OTHERS),
        st.sampled_from(["'b'", "r'^a.c$'", "''"]),
    ),
    st.builds("{} {} {}".format, _SIZED.map("size({})".format), _ORDER, _CALCULATED),
    st.builds("{}.size() == {}".format, _SIZED, st.sampled_from(["1", "3", "1.0", "2.5"])),
    _BOOLEANS,
    _NUMBERS,
    _OTHERS,
)


def _logic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _joined(inner, st.sampled_from(["&&", "||"]), inner),
        _joined(inner, st.sampled_from(["&&", "||"]), inner, st.sampled_from(["&&", "||"]), inner),
        inner.map("!({})".format),
        inner.map("({})".format),
        _joined(inner.map("({})".format), st.sampled_from(["==", "!="]), inner.map("({})".format)),
    )


_SOURCES = st.recursive(_PREDICATES, _logic, max_leaves=5)
_VALUES: dict[str, Any] = {
    "n": [1.5, 0.5, -3.0, None],
    "m": [-2.0, 1e3],
    "s": ["abc", "", "b", None],
    "t": ["é", "z\U0001f600"],
    "f": [True],
    "g": [False, None],
    "z": [None, 2.0],
    "l": [RECORD["l"], []],
    "o": [RECORD["o"], {}],
}
_RECORDS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in _VALUES.items()})


@settings(max_examples=1_000, deadline=None)
@given(_SOURCES, _RECORDS)
def test_conditions_say_what_cel_says(source: str, record: dict[str, Any]) -> None:
    assert ours(source, record) == theirs(source, record)
