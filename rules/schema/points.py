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
    """Yield tables in the order of their lines; those whose lines lie between each other's become one.

    Of two points with the same time and tags the later one counts, so they must not change places. Tables
    that follow each other become one where that makes no large one.
    """
    group: list[Table] = []
    rows = last = 0
    for table in tables:
        most = _JOINED if group and table.names == group[0].names else _SMALL
        if group and table.lines[0] > last and rows + len(table.lines) > most:
            yield _one(group)
            group, rows = [], 0
        last = max(last, table.lines[-1]) if group else table.lines[-1]
        rows += len(table.lines)
        group.append(table)
    if group:
        yield _one(group)


def _one(group: list[Table]) -> Table:
    if len(group) == 1:
        return group[0]
    names = list(dict.fromkeys(name for table in group for name in table.names if name != TIME))
    lines = [line for table in group for line in table.lines]
    order = sorted(range(len(lines)), key=lines.__getitem__)
    columns = [_column(name, group, order) for name in (*names, TIME)]
    return Table([*names, TIME], columns, [lines[i] for i in order])


def _column(name: str, group: list[Table], order: list[int]) -> list[Any]:
    values: list[Any] = []
    for table in group:
        values += table.columns[table.names.index(name)] if name in table.names else [None] * len(table.lines)
    return [values[i] for i in order]
