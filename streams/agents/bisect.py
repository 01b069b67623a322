"""The rows the database refuses for good, found by halves in a transaction that is rolled back.

Our own checks leave the database little to refuse; what is left must not stop the partition. The rest of
the batch goes on without them.
"""

from collections.abc import Callable, Mapping
from typing import NoReturn

from sqlalchemy import Connection

from rules.errors import Never
from rules.fold import Present
from rules.schema.dataset import Dataset
from storage.upsert import insert_rows, judged, update_rows
from streams.agents.batch import Plan, Unfit

Rows = Mapping[bytes, Present]
Write = Callable[[Connection, Dataset, int, Rows], None]


class FoundError(Exception):
    """Carries what was found out of a transaction, and so undoes it."""

    def __init__(self, unfit: Unfit) -> None:
        super().__init__(f"{len(unfit)} rows can't be stored")
        self.unfit = unfit


def trial(made: Plan, partition: int, connection: Connection) -> NoReturn:
    """Try every row of a plan; always raises FoundError, with the keys that can't be stored and why."""
    unfit: dict[tuple[int, bytes], Never] = {}
    for dataset, folded in made.folded:
        for rows, write in ((folded.inserts, insert_rows), (folded.updates, update_rows)):
            unfit |= _try(connection, dataset, partition, rows, write)
    raise FoundError(unfit)


def _try(
    c: Connection, dataset: Dataset, partition: int, rows: Rows, write: Write
) -> dict[tuple[int, bytes], Never]:
    try:
        with judged(c), c.begin_nested():
            write(c, dataset, partition, rows)
    except Never as never:
        if len(rows) == 1:
            return {(dataset.id, key): never for key in rows}
        keys = list(rows)
        half = len(keys) // 2
        return {
            **_try(c, dataset, partition, {k: rows[k] for k in keys[:half]}, write),
            **_try(c, dataset, partition, {k: rows[k] for k in keys[half:]}, write),
        }
    return {}
