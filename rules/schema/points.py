"""Points of a measurement, column by column: as they were sent, and in the columns of their dataset."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from rules.envelope import Record
from rules.schema.dataset import ColumnType
from rules.schema.moments import format_stamp

TIME: Final = "time"
"""The column of the points' timestamps."""

_JOINED: Final = 8_192
_SMALL: Final = 256

SPARE: Final = 4
"""Cells that a table of several may have for each value in it, and `LEAST` cells whatever it holds.

Points that each have a field of their own would make a table as wide as it is long.
"""

LEAST: Final = 4_096


class Shape(NamedTuple):
    """What points have in common: measurement, keys in the order they came, the fields' types.

    `timed` says that they carry timestamps.
    """

    measurement: str
    tags: tuple[str, ...]
    fields: tuple[str, ...]
    types: tuple[ColumnType, ...]
    timed: bool


class Block(Struct):
    """Points of one shape: values column by column (tags, then fields), times in ns, line numbers from 0."""

    shape: Shape
    columns: list[list[Any]]
    times: list[int]
    lines: Sequence[int]


class Table(Struct):
    """Points in the columns of their dataset: the last is the time, in ns; None is no value."""

    names: list[str]
    columns: list[list[Any]]
    lines: Sequence[int]


def records_of(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[Record]:
    """Return a table's rows as records: without what is None, the time as text."""
    rows = zip(*columns[:-1], map(format_stamp, columns[-1]), strict=True)
    if any(None in column for column in columns):
        return [{n: v for n, v in zip(names, row, strict=True) if v is not None} for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]


def joined(tables: Iterable[Table]) -> Iterator[Table]:
    """Yield tables in the order of their lines; those whose lines lie between each other's are put together.

    Of two points with the same time and tags the later one counts, so they must not change places. Tables
    that follow each other become one where that makes no large one.
    """
    group: list[Table] = []
    rows = last = 0
    for table in tables:
        most = _JOINED if group and table.names == group[0].names else _SMALL
        if group and table.lines[0] > last and rows + len(table.lines) > most:
            yield from _together(group)
            group, rows = [], 0
        last = max(last, table.lines[-1]) if group else table.lines[-1]
        rows += len(table.lines)
        group.append(table)
    if group:
        yield from _together(group)


_Rows = list[tuple[int, int]]
"""Rows of a group by (table, place in it)."""


def _together(group: list[Table]) -> Iterator[Table]:
    """Yield the points of a group in the order of their lines, in tables that are mostly full."""
    if len(group) == 1:
        yield group[0]
        return
    names = dict.fromkeys(name for table in group for name in table.names if name != TIME)
    rows = sum(len(table.lines) for table in group)
    values = sum(len(table.lines) * len(table.names) for table in group)
    if _is_full(rows * (len(names) + 1), values):
        yield _whole(group, [*names, TIME])
    else:
        yield from _cut(group)


def _is_full(cells: int, values: int) -> bool:
    return cells <= max(LEAST, SPARE * values)


def _whole(group: list[Table], names: list[str]) -> Table:
    lines = [line for table in group for line in table.lines]
    order = sorted(range(len(lines)), key=lines.__getitem__)

    def column(name: str) -> list[Any]:
        values: list[Any] = []
        for table in group:
            there = name in table.names
            values += table.columns[table.names.index(name)] if there else [None] * len(table.lines)
        return [values[i] for i in order]

    return Table(names, [column(name) for name in names], [lines[i] for i in order])


def _cut(group: list[Table]) -> Iterator[Table]:
    places = [(line, t, row) for t, table in enumerate(group) for row, line in enumerate(table.lines)]
    run: _Rows = []
    there: set[int] = set()
    names: dict[str, None] = {}
    values = 0
    for _, t, row in sorted(places):
        mine = group[t].names
        more = len(mine) if t in there else len(names.keys() | mine)
        if run and not _is_full((len(run) + 1) * max(len(names), more), values + len(mine)):
            yield _one(group, run, names)
            run, there, names, values = [], set(), {}, 0
        if t not in there:
            there.add(t)
            names |= dict.fromkeys(mine)
        run.append((t, row))
        values += len(mine)
    yield _one(group, run, names)


def _one(group: list[Table], run: _Rows, names: Iterable[str]) -> Table:
    held = {t: dict(zip(group[t].names, group[t].columns, strict=True)) for t, _ in run}
    ordered = [*(name for name in names if name != TIME), TIME]
    columns = [_column([held[t].get(name) for t, _ in run], run) for name in ordered]
    return Table(ordered, columns, [group[t].lines[row] for t, row in run])


def _column(held: list[list[Any] | None], run: _Rows) -> list[Any]:
    return [None if column is None else column[row] for column, (_, row) in zip(held, run, strict=True)]
