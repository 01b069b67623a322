import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.condition.functions import (
    MAX_MATCHED_CHARACTERS,
    MAX_TEXT_BYTES,
    EvaluationError,
    Pattern,
    calculate,
    equal,
    follow,
    kind,
    matches,
    member,
    moment,
    negate,
    order,
    present,
    size,
    text_test,
)
from tests.rules.condition.trees import VALUES

NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9)
)


def error(function: Any, *arguments: Any) -> str:
    with pytest.raises(EvaluationError) as caught:
        function(*arguments)
    return str(caught.value)


@given(NUMBERS, NUMBERS)
def test_numbers_compare_as_the_exact_values_they_are(left: float, right: float) -> None:
    a, b = Fraction(left), Fraction(right)
    assert equal(left, right) == (a == b)
    assert [order(op, left, right) for op in ("<", "<=", ">", ">=")] == [a < b, a <= b, a > b, a >= b]


def test_integers_beyond_the_doubles_compare_exactly() -> None:
    assert not equal(2**53 + 1, float(2**53))
    assert order(">", 2**53 + 1, float(2**53))


@given(VALUES, VALUES)
def test_values_are_equal_where_their_canonical_forms_are(left: Any, right: Any) -> None:
    def canonical(value: Any) -> Any:
        if isinstance(value, list):
            return ("list", *map(canonical, value))
        if isinstance(value, dict):
            return ("object", frozenset((name, canonical(one)) for name, one in value.items()))
        return kind(value), value

    assert equal(left, right) == (canonical(left) == canonical(right))
    assert equal(left, left)


def test_a_boolean_is_no_number_at_any_depth() -> None:
    assert not equal(True, 1)
    assert not equal([{"a": [True]}], [{"a": [1]}])
    assert equal([{"a": [1]}], [{"a": [1.0]}])
    assert not member(True, [1, 1.0])
    assert member(1.0, [True, 1])


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}])
def test_only_numbers_and_texts_have_an_order(value: Any) -> None:
    assert "has no meaning between" in error(order, "<", value, value)
    assert "has no meaning between" in error(order, "<", value, 1)
    assert "has no meaning between" in error(order, ">=", "a", value)


def test_unlike_types_have_no_order() -> None:
    assert error(order, "<", 1, "a") == "'<' has no meaning between number and text"


@given(st.text(), st.text())
def test_texts_are_ordered_by_code_points(left: str, right: str) -> None:
    assert order("<", left, right) == (list(map(ord, left)) < list(map(ord, right)))


@given(NUMBERS, NUMBERS, st.sampled_from(["+", "-", "*", "/", "%"]))
def test_arithmetic_gives_a_number_in_range_or_an_error(left: float, right: float, op: Any) -> None:
    try:
        result = calculate(op, left, right)
    except EvaluationError:
        return
    assert (isinstance(result, float) and math.isfinite(result)) or -(2**63) <= result < 2**64
    if isinstance(left, int) and isinstance(right, int) and op in ("+", "-", "*"):
        assert result == {"+": left + right, "-": left - right, "*": left * right}[op]


@pytest.mark.parametrize(
    ("op", "left", "right", "result"),
    [
        ("/", 1, 2, 0.5),
        ("/", 4, 2, 2.0),
        ("%", 7, 3, 1),
        ("%", -7, 3, -1),
        ("%", 7, -3, 1),
        ("%", -7, -3, -1),
        ("%", -7.5, 2, -1.5),
        ("%", 2**63 + 1, 2, 1),
        ("+", 1, 2.5, 3.5),
        ("-", 5, 5.0, 0.0),
        ("+", "a", "b", "ab"),
        ("*", 2**32, 2**31, 2**63),
    ],
)
def test_arithmetic(op: Any, left: Any, right: Any, result: Any) -> None:
    found = calculate(op, left, right)
    assert (found, type(found)) == (result, type(result))


@pytest.mark.parametrize(
    ("op", "left", "right", "message"),
    [
        ("/", 1, 0, "division by zero"),
        ("/", 1.0, -0.0, "division by zero"),
        ("%", 1, 0, "division by zero"),
        ("%", 1.5, 0.0, "division by zero"),
        ("*", 1e308, 10.0, "infinite"),
        ("+", 1.7e308, 1.7e308, "infinite"),
        ("+", 2**64 - 1, 1, "an integer outside"),
        ("-", -(2**63), 1, "an integer outside"),
        ("*", 2**63, 2, "an integer outside"),
        ("+", 10**400, 1.5, "beyond what a number can be"),
        ("/", 10**400, 1, "beyond what a number can be"),
        ("%", 10**400, 1.5, "beyond what a number can be"),
        ("*", "x", 10**9, "'*' has no meaning between text and number"),
        ("*", 3, [1], "'*' has no meaning between number and list"),
        ("%", "%1000000000d", 1, "'%' has no meaning between text and number"),
        ("+", [1], [2], "'+' has no meaning between list and list"),
        ("+", "a", 1, "'+' has no meaning between text and number"),
        ("+", True, 1, "'+' has no meaning between boolean and number"),
        ("-", None, 1, "'-' has no meaning between null and number"),
    ],
)
def test_arithmetic_without_a_result_is_an_error(op: Any, left: Any, right: Any, message: str) -> None:
    assert message in error(calculate, op, left, right)


def test_a_negation_stays_in_range() -> None:
    assert negate(2**63) == -(2**63)
    assert "outside" in error(negate, 2**63 + 1)
    assert error(negate, True) == "'-' has no meaning before boolean"


def test_a_text_does_not_grow_beyond_its_bound() -> None:
    assert len(str(calculate("+", "x" * (MAX_TEXT_BYTES - 1), "x"))) == MAX_TEXT_BYTES
    assert "more than 65536 bytes" in error(calculate, "+", "x" * MAX_TEXT_BYTES, "x")
    assert "more than 65536 bytes" in error(calculate, "+", "é" * (MAX_TEXT_BYTES // 2), "x")


def test_sizes() -> None:
    assert [size(value) for value in ("é\U0001f600", [1, 2], {"a": 1}, "")] == [2, 2, 1, 0]
    assert error(size, 5) == "size() has no meaning on number"


def test_membership() -> None:
    assert member("k", {"k": None})
    assert not member("x", {"k": None})
    assert member(None, [None])
    assert member([1], [[1.0]])
    assert error(member, 1, {"k": 1}) == "'in' has no meaning between number and object"
    assert error(member, "a", "abc") == "'in' has no meaning between text and text"


def test_texts_are_tested_as_they_are() -> None:
    assert text_test("startsWith", "abc", "ab")
    assert text_test("endsWith", "abc", "bc")
    assert text_test("contains", "abc", "")
    assert not text_test("contains", "ABC", "b")
    assert error(text_test, "contains", ["a"], "a") == "contains() has no meaning between list and text"


def test_patterns_find_a_part_of_a_text() -> None:
    assert matches(Pattern("b"), "abc")
    assert not matches(Pattern("^b"), "abc")
    assert error(matches, Pattern("b"), None) == "matches() has no meaning on null"
    assert "lone surrogate" in error(matches, Pattern("b"), "\ud800")
    assert "32768 characters at most" in error(matches, Pattern("b"), "x" * (MAX_MATCHED_CHARACTERS + 1))


def test_an_absent_column_is_null_and_a_further_step_must_be_there() -> None:
    record = {"a": {"b": [None, {"c": 1}]}, "s": "text"}
    assert follow(record, ("x",)) is None
    assert follow(record, ("a", "b", 1, "c")) == 1
    assert error(follow, record, ("x", "y")) == "null has no 'y'"
    assert error(follow, record, ("a", "z")) == "object has no 'z'"
    assert error(follow, record, ("a", "b", 2)) == "list has no 2"
    assert error(follow, record, ("a", "b", -1)) == "list has no -1"
    assert error(follow, record, ("a", 0)) == "object has no 0"
    assert error(follow, record, ("s", 0)) == "text has no 0"


def test_presence_is_never_an_error() -> None:
    record = {"a": {"b": None, "c": False}, "n": None, "s": "text"}
    assert [present(record, steps) for steps in (("a",), ("a", "c"))] == [True, True]
    for steps in (("n",), ("x",), ("a", "b"), ("a", "z"), ("a", "z", "y"), ("n", "x"), ("s", "x"), ("s", 0)):
        assert not present(record, steps)


def test_instants() -> None:
    assert moment("1970-01-01T00:00:00.000000001Z") == 1
    assert moment("1970-01-02") == 86_400 * 10**9
    assert moment(None) is None
    assert error(moment, 5) == "number is no date-time"
    assert "is not a date-time" in error(moment, "yesterday")


def test_what_json_has_no_type_for_is_an_error() -> None:
    assert error(equal, {1}, {1}) == "a value of the type set is none of JSON"
