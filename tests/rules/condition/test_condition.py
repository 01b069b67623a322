from collections import UserDict

import pytest

from rules.condition.condition import Condition, ConditionError, EvaluationError, read_condition
from rules.limits import Limits


def test_a_condition_is_read_once_and_asked_often() -> None:
    condition = read_condition('changePercent > 500 && symbol in ["GM", "F"]')
    assert condition.matches({"changePercent": 501, "symbol": "F"}) is True
    assert condition.matches({"changePercent": 500, "symbol": "F"}) is False
    assert condition.matches({"changePercent": 501.5, "symbol": "X"}) is False


def test_a_condition_names_the_fields_it_looks_at() -> None:
    condition = read_condition(
        "a.b.c > 1 && has(d.e) || `odd name`[0] in [f, g.matches('x')] && size(a) == 1"
    )
    assert condition.fields == {"a", "d", "odd name", "f", "g"}
    assert read_condition("true").fields == frozenset()


def test_any_mapping_is_a_record() -> None:
    assert read_condition("a > 1 && b == null").matches(UserDict(a=2)) is True


def test_a_record_without_a_result_raises_what_happened_and_where() -> None:
    with pytest.raises(EvaluationError) as caught:
        read_condition("a > 1").matches({"a": "x"})
    assert str(caught.value) == "'>' has no meaning between text and number at character 3"
    assert caught.value.__context__ is None


def test_a_source_that_is_no_condition_raises_the_place() -> None:
    with pytest.raises(ConditionError) as caught:
        read_condition("a > ")
    assert caught.value.position == 4
    assert caught.value.message == "unexpected end of the condition at character 5; an operand is missing"


def test_limits_are_those_that_are_given() -> None:
    assert read_condition("a == 'xyz'", Limits(condition_bytes=10))
    with pytest.raises(ConditionError, match="condition_bytes"):
        read_condition("a == 'xyzz'", Limits(condition_bytes=10))


def test_conditions_of_the_same_source_are_equal() -> None:
    first, second = read_condition("a > 1"), read_condition("a > 1")
    assert isinstance(first, Condition)
    assert first == second
    assert first != read_condition("a > 2")
    assert len({first, second}) == 1
