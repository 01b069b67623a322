"""Rows deleted by key and by time."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete

from rules.ids import canonical_key
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.moments import format_moment
from storage.sql import Where
from storage.tables import KEY, PARTITION, table_of, time_column


def key_range(dataset: Dataset, values: Sequence[Any]) -> Where:
    """Return the condition that a row's key begins with these values, in stored form.

    The canonical encoding delimits itself, so a prefix of the values is a prefix of the bytes.
    """
    column = table_of(dataset).c[KEY]
    prefix = canonical_key(values)
    if len(values) == len(dataset.key):
        return column == prefix
    return (column >= prefix) & (column < prefix + b"\xff")


def time_range(dataset: Dataset, begin: int | None, end: int | None) -> list[Where]:
    """Return the conditions that a row's time lies in [begin, end), both in ns."""
    column = table_of(dataset).c[time_column(dataset)]
    dated = dataset.date is not None and dataset.by_name[dataset.date].type is ColumnType.DATE

    def bound(moment: int) -> Any:
        return format_moment(moment) if dated else moment

    conditions = []
    if begin is not None:
        conditions.append(column >= (bound(begin)[:10] if dated else begin))
    if end is not None:
        conditions.append(column < (bound(end) if dated else end))
    return conditions


def remove(
    connection: Connection,
    dataset: Dataset,
    partition: int,
    key: Sequence[Any],
    begin: int | None,
    end: int | None,
) -> int:
    """Delete the rows of one partition under a key (or its first values) and in a range of time.

    Returns how many there were. In a dataset with `partitionBy` the rows of other partitions stay: each
    partition deletes its own, in its own order.
    """
    table = table_of(dataset)
    conditions = time_range(dataset, begin, end)
    if key:
        conditions.append(key_range(dataset, key))
    if dataset.partition_by:
        conditions.append(table.c[PARTITION] == partition)
    return connection.execute(delete(table).where(*conditions)).rowcount
