"""Records brought from one version of a dataset to another: nothing is guessed, nothing lost unsaid."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import Never
from rules.schema.carry import carried, carried_on, check_defaults
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from rules.schema.stored import stored_form, without_nulls

KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "whole": {"type": "integer"},
    "unsigned": {"type": "integer", "format": "uint64"},
    "number": {"type": "number"},
    "truth": {"type": "boolean"},
    "day": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "object": {"type": "object"},
    "list": {"type": "array"},
    "any": {},
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
    | st.sampled_from(["12", "-7", "1.5", "true", "2024-01-31", "{}", "1e3", "007"]),
    "whole": st.integers(-(2**63), 2**63 - 1),
    "unsigned": st.integers(0, 2**64 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "truth": st.booleans(),
    "day": st.dates().map(str),
    "moment": st.sampled_from(["2024-01-31T00:00:00Z", "2024-01-31T12:00:00.5Z", "1969-12-31T23:00:00Z"]),
    "object": st.dictionaries(st.sampled_from("ab"), st.integers(-9, 9), max_size=2),
    "list": st.lists(st.integers(-9, 9), max_size=2),
}


def dataset(**properties: Any) -> Dataset:
    required = properties.pop("required", [])
    schema = {"type": "object", "properties": properties, "required": required}
    return declare("w", {"datasetId": "d", "schema": schema, "mode": "strict"}, 1)


def one(to: dict[str, Any], value: Any) -> Any:
    """Return what becomes of a value in a column of this schema; raise Never where nothing does."""
    records, bad = carried(dataset(x=to), [{"x": value}])
    if bad:
        raise bad[0]
    return records[0]["x"]


@pytest.mark.parametrize(
    ("to", "value", "expected"),
    [
        ("text", 1, "1"),
        ("text", 1.5, "1.5"),
        ("text", True, "true"),
        ("text", {"a": [1]}, '{"a":[1]}'),
        ("text", "2024-01-31", "2024-01-31"),
        ("whole", "12", 12),
        ("whole", 2.0, 2),
        ("unsigned", "18446744073709551615", 2**64 - 1),
        ("number", 7, 7.0),
        ("number", "-1.5e3", -1500.0),
        ("truth", "TRUE", True),
        ("truth", 0, False),
        ("day", "2024-01-31T00:00:00Z", "2024-01-31"),
        ("moment", "2024-01-31", "2024-01-31T00:00:00Z"),
        ("moment", "2024-01-31T13:00:00+01:00", "2024-01-31T12:00:00Z"),
        ("object", '{"a":1}', {"a": 1}),
        ("list", "[1]", [1]),
        ("any", [1, "x"], [1, "x"]),
    ],
)
def test_what_is_certain_is_converted(to: str, value: Any, expected: Any) -> None:
    became = one(KINDS[to], value)
    assert (became, type(became)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("to", "value"),
    [
        *(("whole", value) for value in ("", "x", "1.5", "007", 1.5, True, 2**63, [1])),
        *(("unsigned", value) for value in (-1, "-1", True)),
        *(("number", value) for value in (2**53 + 1, "9007199254740993", "", "nan", True, {})),
        *(("truth", value) for value in (2, 0.5, "yes", "")),
        *(("day", value) for value in ("2024-01-31T12:00:00Z", "31.1.2024", 1, "2024-02-30")),
        *(("moment", value) for value in (1, "noon", "2024-01-31T12:00:00")),
        *(("object", value) for value in ("[]", "x", 1, [])),
        *(("list", value) for value in ("{}", 1, {})),
    ],
)
def test_what_would_lose_its_meaning_is_refused_by_name(to: str, value: Any) -> None:
    with pytest.raises(Never) as refused:
        one(KINDS[to], value)
    assert refused.value.code.name == "schema_changed"


def test_columns_that_are_gone_leave_no_trace_and_absent_values_are_the_defaults() -> None:
    new = dataset(a={"type": "integer", "default": 3}, b={"type": ["string", "null"]})
    records, bad = carried(new, [{"gone": 1}, {"a": 1, "b": "x"}, {"a": None}])
    assert (records, bad) == ([{"a": 3}, {"a": 1, "b": "x"}, {"a": 3}], {})


def test_what_is_required_must_be_there_or_have_a_default() -> None:
    new = dataset(a=KINDS["whole"], b={**KINDS["whole"], "default": 1}, required=["a", "b"])
    records, bad = carried(new, [{"a": 1}, {"b": 2}])
    assert records[0] == {"a": 1, "b": 1}
    assert [(at, never.code.name) for at, never in bad.items()] == [(1, "schema_changed")]
    nullable = dataset(a={"type": ["integer", "null"]}, required=["a"])
    assert carried(nullable, [{}]) == ([{}], {})


def test_records_on_their_way_keep_their_nulls_and_get_no_defaults() -> None:
    new = dataset(a={"type": ["integer", "null"], "default": 3}, b=KINDS["text"])
    assert carried_on(new, [{"a": None, "b": 1}, {"b": "x"}]) == ([{"a": None, "b": "1"}, {"b": "x"}], {})


def test_a_default_that_does_not_fit_its_column_is_found() -> None:
    check_defaults(dataset(a={"type": "integer", "default": 3}, b={"type": "string", "default": "x"}))
    for wrong in ({"type": "integer", "default": "x"}, {"type": "boolean", "default": 2}):
        with pytest.raises(Never, match="default"):
            check_defaults(dataset(a=wrong))


@given(record=st.fixed_dictionaries({}, optional=VALUES))
def test_the_same_version_leaves_a_record_as_it_is(record: dict[str, Any]) -> None:
    same = dataset(**KINDS)
    (stored,), bad = stored_form(same, [record])
    if not bad:
        assert carried(same, [stored]) == ([stored], {})


@given(data=st.data(), before=st.sampled_from(sorted(VALUES)), after=st.sampled_from(sorted(KINDS)))
def test_what_was_brought_along_stays_as_it_is_the_next_time(
    data: st.DataObject, before: str, after: str
) -> None:
    new = dataset(x=KINDS[after])
    (stored,), unfit = stored_form(dataset(x=KINDS[before]), [{"x": data.draw(VALUES[before])}])
    once, bad = carried(new, [stored])
    if unfit or bad:
        return
    again, worse = carried(new, once)
    assert (again, worse) == (once, {})
    assert stored_form(new, once) == (once, {})
    assert without_nulls(once[0]).keys() == {"x"}
