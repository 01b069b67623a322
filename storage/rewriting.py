"""A dataset's rows brought to another version: a copy of its table, filled in slices, takes its place."""

from collections.abc import Iterable
from itertools import chain
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, select

from rules.envelope import ID_FIELD, TIME_FIELD
from rules.fold import Present
from rules.schema.dataset import Dataset
from storage import datasets, tables
from storage.mismatch import Mismatch
from storage.quarantine import QUARANTINE
from storage.rows import reader, to_columns
from storage.sql import is_postgres
from storage.tables import AT, ID, KEY, copy_of, physical, stored_columns, table_of
from storage.views import drop_view, make_view

SLICE: Final = 2_000
"""Rows that are read, and written, in one transaction: others wait for it."""

SLICE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of texts after which a slice ends sooner; a row may have a megabyte."""

_FETCHED: Final = 50
_PARAMETERS: Final = 30_000
_ROWS: Final = 100


class Slice(NamedTuple):
    """Rows in the order of their keys, and the key behind which the next slice begins."""

    rows: list[tuple[bytes, Present]]
    after: bytes


def begin(connection: Connection, new: Dataset, write_id: str) -> None:
    """Make the copy, empty, and forget what an attempt before this set aside."""
    connection.execute(delete(QUARANTINE).where(QUARANTINE.c.write_id == write_id))
    tables.create_copy(connection, new)


def slice_of(connection: Connection, old: Dataset, after: bytes, most: int = SLICE) -> Slice:
    """Return the rows behind a key, at the most `most` of them, fewer where they are large."""
    table, columns = table_of(old), stored_columns(old)
    read = reader(old, columns, nulls=False)
    shown = (table.c[name] for name in (KEY, ID, AT, *map(physical, columns)))
    query = select(*shown).where(table.c[KEY] > after).order_by(table.c[KEY]).limit(most)
    rows: list[tuple[bytes, Present]] = []
    size = 0
    with connection.execute(query.execution_options(yield_per=_FETCHED)) as found:
        for row in found:
            record = read(row[1:])
            record.pop(ID_FIELD)
            record.pop(TIME_FIELD, None)
            rows.append((bytes(row[0]), Present(row[1], row[2], record)))
            size += sum(len(value) for value in row if isinstance(value, str))
            if size >= SLICE_BYTES:
                break
    return Slice(rows, rows[-1][0] if rows else after)


def put(connection: Connection, new: Dataset, rows: Iterable[tuple[bytes, Present]]) -> None:
    """Put rows into the copy; of those that have one key the one written last stays, be it here or there."""
    newest: dict[bytes, Present] = {}
    for key, row in rows:
        before = newest.get(key)
        if before is None or (before.at, before.id) < (row.at, row.id):
            newest[key] = row
    columns = to_columns(new, [row.record for row in newest.values()])
    own = [[*newest], [row.id for row in newest.values()], [row.at for row in newest.values()]]
    values = list(zip(*own, *columns, strict=True))
    most = max(1, min(_ROWS, _PARAMETERS // len(values[0]))) if values else 1
    for start in range(0, len(values), most):
        some = values[start : start + most]
        connection.exec_driver_sql(_putting(connection, new, len(some)), tuple(chain.from_iterable(some)))


def _putting(connection: Connection, new: Dataset, rows: int) -> str:
    """Return the statement for so many rows, as text: SQLAlchemy takes a millisecond a row to make it."""
    names = (KEY, ID, AT, *map(physical, stored_columns(new)))
    mark = "%s" if is_postgres(connection) else "?"
    values = ", ".join([f"({', '.join([mark] * len(names))})"] * rows)
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name != KEY)
    table = copy_of(new).name
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES {values} "  # noqa: S608 - names are surrogates
        f"ON CONFLICT ({KEY}) DO UPDATE SET {changed} "
        f"WHERE (excluded.{AT}, excluded.{ID}) > ({table}.{AT}, {table}.{ID})"
    )


def count(connection: Connection, dataset: Dataset, most: int) -> int:
    """Return how many rows a dataset has, at the most one more than `most`."""
    some = select(table_of(dataset).c[ID]).limit(most + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def finish(connection: Connection, old: Dataset, new: Dataset) -> int:
    """Put the copy and the new version in place; return how many rows the dataset has then.

    Raises: Mismatch where `old` is not the version that is stored any more.
    """
    if not datasets.put_version(connection, old, new):
        raise Mismatch
    rows = connection.execute(select(func.count()).select_from(copy_of(new))).scalar_one()
    drop_view(connection, old)
    tables.put_copy(connection, new)
    make_view(connection, new)
    return int(rows)
