"""Quarantined records in batches that are bounded in number and in bytes, and how many there are."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from rules.names import fold
from storage.quarantine import QUARANTINE, Quarantined
from storage.sql import Where, from_text


class Batch(NamedTuple):
    """Records in the order in which they were set aside; `more` says whether others follow."""

    records: list[Quarantined]
    more: bool


def batch(
    connection: Connection, workspace: str, dataset: str | None, after: int, most: int, most_bytes: int
) -> Batch:
    """Return what is set aside in a workspace or a dataset beyond the id `after`.

    At most `most` records of `most_bytes` together, as kept, but one at least if there is one.
    """
    query = select(QUARANTINE).where(*_within(workspace, dataset, after)).order_by(QUARANTINE.c.id)
    records: list[Quarantined] = []
    size = 0
    for row in connection.execute(query.limit(most + 1)).mappings():
        size += len(row["record"])
        if len(records) == most or (records and size > most_bytes):
            return Batch(records, True)
        records.append(Quarantined(**{**row, "record": from_text(row["record"])}))
    return Batch(records, False)


def count(connection: Connection, workspace: str, dataset: str, after: int = 0) -> int:
    """Return how many records of a dataset are set aside beyond the id `after`."""
    query = select(func.count()).select_from(QUARANTINE).where(*_within(workspace, dataset, after))
    return int(connection.execute(query).scalar_one())


def _within(workspace: str, dataset: str | None, after: int) -> list[Where]:
    conditions: list[Where] = [QUARANTINE.c.workspace == fold(workspace), QUARANTINE.c.id > after]
    if dataset is not None:
        # names are ASCII, so the database folds them as `fold` does
        conditions.append(func.lower(QUARANTINE.c.dataset) == fold(dataset))
    return conditions
