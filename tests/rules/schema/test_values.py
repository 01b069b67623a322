from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import BAD_TEXT, NUMBER_OUT_OF_RANGE, TOO_DEEP, Code
from rules.schema.values import fault_in, pointer, quoted, shown, too_deep, unfit_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "steps", "code"),
    [
        ("a\x00", (), BAD_TEXT),
        ({"a": ["x", "\ud800é"]}, ("a", 1), BAD_TEXT),
        ({"a": {"b\x00": 1}}, ("a",), BAD_TEXT),
        (2**64, (), NUMBER_OUT_OF_RANGE),
        ([-(2**63) - 1], (0,), NUMBER_OUT_OF_RANGE),
        (float("nan"), (), NUMBER_OUT_OF_RANGE),
        ([[float("inf")]], (0, 0), NUMBER_OUT_OF_RANGE),
    ],
)
def test_what_no_column_takes_is_found_wherever_it_stands(
    value: Any, steps: tuple[str | int, ...], code: Code
) -> None:
    fault = fault_in(value, 5)
    assert fault is not None
    assert (fault.steps, fault.code) == (steps, code)


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 1e308, "é😀", {"é": [None, True]}, "", [], {}])
def test_what_a_column_may_take_is_no_fault(value: Any) -> None:
    assert fault_in(value, 2) is None


@pytest.mark.parametrize("levels", [0, 1, 5, 63])
def test_as_many_levels_as_allowed_pass_and_one_more_does_not(levels: int) -> None:
    assert fault_in(nested(levels), levels) is None
    assert not too_deep(nested(levels), levels)
    fault = fault_in(nested(levels + 1), levels)
    assert fault is not None
    assert fault.code is TOO_DEEP
    assert len(fault.steps) == levels
    assert too_deep(nested(levels + 1), levels)


def test_a_value_as_deep_as_memory_allows_is_refused_without_recursing_into_it() -> None:
    assert too_deep(nested(100_000), 64)
    assert fault_in(nested(100_000), 64) is not None


@given(JSON, st.integers(0, 4))
def test_depth_is_one_law_in_both_forms(value: Any, levels: int) -> None:
    fault = fault_in(value, levels)
    if fault is not None and fault.code is TOO_DEEP:
        assert too_deep(value, levels)
    if fault is None:
        assert not too_deep(value, levels)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_a_text_is_fit_where_it_has_utf_8_bytes_none_of_them_zero(text: str) -> None:
    assert unfit_text(text) == (b"\x00" in text.encode("utf-8", "surrogatepass") or not _encodes(text))


@given(JSON)
def test_a_shown_value_is_short_and_prints(value: Any) -> None:
    assert len(shown(value)) < 400
    assert "\n" not in shown(value)


def test_long_values_are_cut_when_shown() -> None:
    assert shown("x" * 1000) == f'the text "{"x" * 59}…"'
    assert shown(10**5000) == "an integer of 16610 bits"
    assert shown({"a": 1}) == "an object with 1 property"
    assert shown([1, 2]) == "a list with 2 members"
    assert quoted("a\u202e") == '"a\\u202e"'


@given(st.lists(st.text(max_size=20) | st.integers(0, 9), max_size=4))
def test_a_pointer_leads_back_to_its_steps(steps: list[str | int]) -> None:
    read = [part.replace("~1", "/").replace("~0", "~") for part in pointer(steps).split("/")[1:]]
    assert read == [str(step) for step in steps]


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
