from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.condition.condition import read_condition
from rules.condition.instants import with_instants
from rules.condition.parse import parse
from rules.condition.tree import Moment
from rules.limits import Limits
from rules.schema.dataset import ColumnType
from rules.schema.moments import format_moment
from tests.rules.condition.trees import TREES, outcome, shape

COLUMNS = {
    "ts": ColumnType.DATETIME,
    "seen": ColumnType.DATETIME,
    "day": ColumnType.DATE,
    "name": ColumnType.STRING,
    "count": ColumnType.INTEGER,
    "flag": ColumnType.BOOLEAN,
    "other": ColumnType.ANY,
}
HALF_PAST = {"ts": "2024-01-01T00:00:00.5Z"}


def asked(source: str, record: dict[str, Any]) -> bool | str:
    return outcome(read_condition(source, Limits(), COLUMNS).matches, record)


@given(*[st.integers(-(10**18), 10**18)] * 2, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_columns_and_literals_are_ordered_by_the_nanosecond(left: int, right: int, op: str) -> None:
    expected = {
        "==": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[op]
    a, b = format_moment(left), format_moment(right)
    assert asked(f"ts {op} '{b}'", {"ts": a}) is expected
    assert asked(f"'{a}' {op} ts", {"ts": b}) is expected
    assert asked(f"ts {op} seen", {"ts": a, "seen": b}) is expected


def test_a_fraction_is_behind_its_second_though_the_text_sorts_before_it() -> None:
    assert read_condition("ts > '2024-01-01T00:00:00Z'").matches(HALF_PAST) is False
    assert asked("ts > '2024-01-01T00:00:00Z'", HALF_PAST) is True


@pytest.mark.parametrize(
    "source",
    [
        "ts == '2024-01-01T00:00:00.500Z'",
        "ts == '2024-01-01T02:00:00.5+02:00'",
        "ts > '2024-01-01'",
        "ts < '2024-01-02'",
        "ts in ['2024-01-01T00:00:00.50Z', '2025-01-01']",
        "!(ts in ['2024-01-01', null, 5, true, 'soon'])",
        "'2024-01-01T00:00:00.500Z' in [seen, ts]",
        "ts in [seen, ts]",
        "ts != 'soon'",
        "ts != null",
        "seen == null",
        "seen != '2024-01-01'",
        "ts != 1704067200500000000",
        "!(ts in [1704067200500000000, '2030-01-01'])",
        "has(ts) && ts.startsWith('2024-01')",
        "'x' + ts == 'x2024-01-01T00:00:00.5Z'",
        "size(ts) == 22",
        "_time < '2024-01-01T00:00:00.001Z'",
        "day < ts",
        "ts > day && (day == '2024-01-01')",
        "ts == name",
        "ts in ['2024-01-01T00:00:00.5Z', name]",
        "ts in other && !(ts in ['x'])",
        "(ts > '2024-01-01') == true",
        "size([ts > '2024-01-01']) == 1",
        "!(-count > 0 && ts > '2030-01-01')",
        "[ts > '2024-01-01'] == [true]",
    ],
)
def test_these_hold(source: str) -> None:
    record = {
        **HALF_PAST,
        "_time": "2024-01-01T00:00:00Z",
        "day": "2024-01-01",
        "name": "2024-01-01T00:00:00.5Z",
        "count": 1,
        "other": ["2024-01-01T00:00:00.5Z"],
    }
    assert asked(source, record) is True


def test_null_and_what_is_no_date_time_have_no_order() -> None:
    assert asked("ts > '2024-01-01'", {}) == "'>' has no meaning between null and number at character 4"
    assert "is not a date-time" in str(asked("ts > '2024-01-01'", {"ts": "soon"}))
    assert asked("ts > 'soon'", HALF_PAST) == "'>' has no meaning between number and text at character 4"


@given(TREES)
def test_without_date_times_a_tree_stays_what_it_is(tree: Any) -> None:
    assert shape(with_instants(tree, {"a": ColumnType.STRING, "b": ColumnType.ANY})) == shape(tree)


def test_to_find_the_instants_twice_changes_nothing() -> None:
    tree = parse("ts > '2024-01-01' && '2024-01-02' in [ts, seen] || has(ts) && !(ts == seen)", Limits())
    once = with_instants(tree, COLUMNS)
    assert with_instants(once, COLUMNS) == once
    assert once != tree


def test_the_fields_of_a_condition_are_the_same_with_and_without_columns() -> None:
    source = "ts > '2024-01-01' && day == '2024-01-01' && name in [count, flag]"
    condition = read_condition(source, Limits(), COLUMNS)
    assert condition.fields == read_condition(source).fields == {"ts", "day", "name", "count", "flag"}
    assert isinstance(condition.tree.operands[0].left, Moment)


@given(st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1)), st.integers(-840, 840))
def test_an_offset_names_the_same_instant(local: datetime, minutes: int) -> None:
    there = local.replace(tzinfo=UTC) + timedelta(minutes=minutes)
    sign = "+" if minutes >= 0 else "-"
    offset = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    literal = there.replace(tzinfo=None).isoformat() + offset
    assert asked(f"ts == '{literal}'", {"ts": local.isoformat() + "Z"}) is True
