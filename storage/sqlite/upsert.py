"""Rows into a dataset's table on SQLite: one statement per hundred rows.

Measured beside a loaded event loop: `executemany` gives up the GIL for every row and starves; a statement
with the values of a hundred rows does so once.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, insert, update
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from rules.fold import Present
from rules.schema.dataset import Dataset
from storage.latest import Latest
from storage.mismatch import Mismatch
from storage.rows import to_columns
from storage.tables import AT, ID, KEY, PARTITION, table_of

ROWS: Final = 100
PARAMETERS: Final = 32_000

_DIALECT: Final = sqlite_dialect()


def insert_rows(
    connection: Connection, dataset: Dataset, partition: int, rows: Mapping[bytes, Present]
) -> None:
    """Insert rows whose keys must be absent.

    Raises: Mismatch where one is present.
    """
    if not rows:
        return
    table = table_of(dataset)
    head, row = _inserts.of(dataset)
    flat = _tuples(dataset, partition, rows)
    most = max(1, min(ROWS, PARAMETERS // len(table.columns)))
    raw = connection.connection.cursor()
    try:
        start = 0
        for step in _steps(len(flat), most):
            values = ", ".join([row] * step)
            part = flat[start : start + step]
            raw.execute(f"{head}{values} ON CONFLICT DO NOTHING", tuple(chain.from_iterable(part)))
            if raw.rowcount != step:
                raise Mismatch
            start += step
    finally:
        raw.close()


def update_rows(
    connection: Connection, dataset: Dataset, partition: int, rows: Mapping[bytes, Present]
) -> None:
    """Overwrite rows whose keys must be present.

    Raises: Mismatch where one is absent.
    """
    if not rows:
        return
    statement = _updates.of(dataset)
    raw = connection.connection.cursor()
    try:
        for row in _tuples(dataset, partition, rows):
            raw.execute(statement.sql, tuple(row[i] for i in statement.order))
            if raw.rowcount != 1:
                raise Mismatch
    finally:
        raw.close()


def _tuples(dataset: Dataset, partition: int, rows: Mapping[bytes, Present]) -> list[tuple[Any, ...]]:
    values = list(rows.values())
    own: list[Iterable[Any]] = [rows.keys(), [row.id for row in values], [row.at for row in values]]
    if dataset.partition_by:
        own.append([partition] * len(values))
    return list(zip(*own, *to_columns(dataset, [row.record for row in values]), strict=True))


def _insert(dataset: Dataset) -> tuple[str, str]:
    """Return an INSERT up to its VALUES, and the placeholders of one row."""
    head, _, row = str(insert(table_of(dataset)).compile(dialect=_DIALECT)).partition("VALUES ")
    return f"{head}VALUES ", row


def _steps(rows: int, most: int) -> Iterator[int]:
    """Cut a number of rows into few different ones, so that the statements the driver prepared come again."""
    while rows:
        step = most if rows >= most else 1 << (rows.bit_length() - 1)
        yield step
        rows -= step


class _Update(NamedTuple):
    sql: str
    order: tuple[int, ...]


def _update(dataset: Dataset) -> _Update:
    table = table_of(dataset)
    names = [column.name for column in table.columns]
    changed = [name for name in names if name not in (KEY, ID, PARTITION)]
    statement = (
        update(table)
        .where(table.c[KEY] == bindparam("the_key"))
        .values({name: bindparam(f"new_{name}") for name in changed})
    )
    compiled = statement.compile(dialect=_DIALECT)
    positions = {f"new_{name}": names.index(name) for name in changed} | {"the_key": names.index(KEY)}
    assert compiled.positiontup is not None and AT in changed
    return _Update(str(compiled), tuple(positions[p] for p in compiled.positiontup))


_inserts: Final = Latest(_insert)
_updates: Final = Latest(_update)
