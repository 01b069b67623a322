"""Everything in a database on SQLite, copied into an empty one on PostgreSQL: our own tables and datasets'.

Rows are read as our types read them and handed over as they are, so ids, places in logs, secrets and hashes
stay what they were. Numbers that were given are not given again, also those whose rows are gone. The feed of
alerts keeps its order and its places: 0 stands for the transaction in each, which is before all of
PostgreSQL's own.

What was written is read again and compared: how many rows, and a sum over a hash of each, which does not
depend on their order.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Float, Table, delete, func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from rules.errors import Never
from storage import datasets, tables
from storage.migrate import METADATA, migrate
from storage.revision import REVISION
from storage.sql import Serial
from storage.upsert import judged
from storage.views import make_view

TOGETHER: Final = 20_000
"""Rows in one COPY: a statement of the server's own may take ten minutes at the most."""

FETCHED: Final = 200
"""Rows read at once; each may have a megabyte."""

_OURS: Final = re.compile(r"d\d+|alembic_version")
_WIDTH: Final = 2**128

_encode = msgspec.msgpack.Encoder().encode

Told = Callable[[str, int], None]


class TransferError(Exception):
    """The copy could not be made, or is not what it was made from; its text says where."""


@dataclass(slots=True)
class Tally:
    """What went by: how many rows, and the sum of their hashes."""

    rows: int = 0
    digest: int = 0

    def over(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """Yield the rows, counted."""
        for row in rows:
            self.rows += 1
            hashed = blake2b(_encode(list(row)), digest_size=16).digest()
            self.digest = (self.digest + int.from_bytes(hashed)) % _WIDTH
            yield row


def occupied(connection: Connection) -> str | None:
    """Return the name of a table of ours that is there already; None where the database is free for us."""
    own = {table.name for table in METADATA.sorted_tables}
    there = (name for name in inspect(connection).get_table_names() if name in own or _OURS.fullmatch(name))
    return min(there, default=None)


def copy_all(old: Connection, new: Connection, told: Told) -> int:
    """Copy everything from `old` to `new`, in the transaction of each; return how many rows there were.

    `told` is called with a table's name (`workspace/dataset` of a dataset's) and its rows so far, now and
    then. Raises: TransferError, Later; nothing is to be kept of `new` then.
    """
    migrate(new)
    new.execute(delete(REVISION))
    moved = 0
    for table in METADATA.sorted_tables:
        moved += _copied(old, new, table, table.name, told)
        _go_on_counting(old, new, table)
    for dataset in datasets.every(old):
        name = f"{dataset.workspace}/{dataset.name}"
        tables.create(new, dataset)
        moved += _copied(old, new, tables.table_of(dataset), name, told)
        if datasets.find(old, dataset.workspace, dataset.name) == dataset:
            make_view(new, dataset)
    return moved


def _copied(old: Connection, new: Connection, table: Table, name: str, told: Told) -> int:
    """Copy a table; return its rows. Raises: TransferError."""
    from storage.postgres.copying import copy_rows  # a broker on SQLite does without its driver

    read = Tally()
    rows = read.over(_rows(old, table))
    try:
        for first in rows:
            with judged(new):
                copy_rows(new, table, _with(first, islice(rows, TOGETHER - 1)))
            told(name, read.rows)
    except (Never, DBAPIError) as error:
        raise TransferError(f"{name}: about row {read.rows}: PostgreSQL does not take it: {error}") from error
    written = Tally()
    for _ in written.over(_rows(new, table)):
        pass
    if written != read:
        raise TransferError(
            f"{name}: {read.rows} rows were read and {written.rows} are there, and they are not the same. "
            f"Nothing was kept."
        )
    return read.rows


def _with(first: Sequence[Any], others: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    yield first
    yield from others


def _rows(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """Yield a table's rows, a few hundred of them in memory at a time.

    SQLite gives an integer for a number without a fraction: both mean the same, and are hashed the same.
    """
    numbers = [at for at, column in enumerate(table.columns) if isinstance(column.type, Float)]
    query = select(table).execution_options(stream_results=True, yield_per=FETCHED)
    for row in connection.execute(query):
        values = list(row)
        for at in numbers:
            if values[at] is not None:
                values[at] = float(values[at])
        yield values


def _go_on_counting(old: Connection, new: Connection, table: Table) -> None:
    """Have the numbers of a table go on behind the last one that was ever given."""
    for column in table.columns:
        if not isinstance(column.type, Serial):
            continue
        given = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        last = max(
            old.execute(given, {"name": table.name}).scalar() or 0,
            old.execute(select(func.max(column))).scalar() or 0,
        )
        if last:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            new.execute(select(func.setval(sequence, last)))
