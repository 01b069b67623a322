"""Tables of points put together: in the order of their lines, whole, not much larger than what they hold."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.schema import points
from rules.schema.points import LEAST, SPARE, TIME, Table, joined

NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True)


@st.composite
def tables(draw: st.DrawFn) -> list[Table]:
    """Draw tables between whose lines each other's lie, in the order of their first lines."""
    shapes = draw(st.lists(NAMES, min_size=1, max_size=5))
    whose = draw(st.lists(st.integers(0, len(shapes) - 1), min_size=1, max_size=60))
    lines = {t: [line for line, one in enumerate(whose) if one == t] for t in dict.fromkeys(whose)}
    return [table(shapes[t], mine) for t, mine in lines.items()]


def table(names: list[str], lines: list[int]) -> Table:
    return Table(
        [*names, TIME], [*([f"{name}{line}" for line in lines] for name in names), list(lines)], lines
    )


def rows(found: list[Table]) -> list[tuple[int, dict[str, Any]]]:
    return [
        (line, {name: value for name, value in zip(one.names, row, strict=True) if value is not None})
        for one in found
        for line, row in zip(one.lines, zip(*one.columns, strict=True), strict=True)
    ]


@given(tables(), st.sampled_from([1, 2, 8, LEAST]))
def test_all_points_are_there_once_in_the_order_of_their_lines(sent: list[Table], least: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(points, "LEAST", least)
        patched.setattr(points, "SPARE", 1)
        found = list(joined(sent))
    assert rows(found) == sorted(rows(sent), key=lambda row: row[0])
    assert all(one.names[-1] == TIME for one in found)


def test_points_that_each_have_a_field_of_their_own_make_tables_that_are_not_wide_and_long() -> None:
    many = 5_000
    sent = [table([f"f{n}"], [n, n + many]) for n in range(many)]
    found = list(joined(sent))
    assert [line for one in found for line in one.lines] == list(range(2 * many))
    for one in found:
        held = sum(value is not None for column in one.columns for value in column)
        assert len(one.lines) * len(one.names) <= max(LEAST, SPARE * held)
    assert sum(len(one.lines) * len(one.names) for one in found) <= 2 * many * 70


def test_points_of_few_shapes_in_turn_make_one_table() -> None:
    sent = [table(["a", "b"], list(range(0, 9_000, 2))), table(["a", "c"], list(range(1, 9_000, 2)))]
    (one,) = joined(sent)
    assert one.names == ["a", "b", "c", TIME]
    assert all(a < b for a, b in pairwise(one.lines))
