"""Rows deleted by key, by time and by condition."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, func, or_, select

from rules.condition.condition import Condition
from rules.condition.where import selects
from rules.ids import canonical_key
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.moments import format_moment
from storage.rows import reader
from storage.sql import Where
from storage.tables import AT, ID, KEY, PARTITION, physical, stored_columns, table_of, time_column
from storage.where import pushed

_TOGETHER: Final = 200
_SLICE: Final = 5_000
_FETCHED: Final = 50


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
    keys: Sequence[Sequence[Any]],
    begin: int | None,
    end: int | None,
    where: Condition | None = None,
) -> int:
    """Delete the rows of one partition under any of the keys (or their first values), in a range of time,
    that a condition selects. Without keys all are meant.

    Returns how many there were. In a dataset with `partitionBy` the rows of other partitions stay: each
    partition deletes its own, in its own order.
    """
    table = table_of(dataset)
    conditions = time_range(dataset, begin, end)
    if dataset.partition_by:
        conditions.append(table.c[PARTITION] == partition)
    decided = None if where is None else pushed(dataset, where.tree)
    conditions += [] if decided is None else decided.conditions
    deleted = 0
    for under in _under(dataset, keys):
        if where is None or decided is None or decided.exact:
            deleted += connection.execute(delete(table).where(*conditions, *under)).rowcount
        else:
            deleted += _remove_selected(connection, dataset, [*conditions, *under], where)
    return deleted


def to_look_at(
    connection: Connection,
    dataset: Dataset,
    keys: Sequence[Sequence[Any]],
    begin: int | None,
    end: int | None,
    where: Condition,
    most: int,
) -> int:
    """Return how many rows a delete would have to look at one by one, at the most one more than `most`."""
    decided = pushed(dataset, where.tree)
    if decided.exact:
        return 0
    found, conditions = 0, [*time_range(dataset, begin, end), *decided.conditions]
    for under in _under(dataset, keys):
        some = select(table_of(dataset).c[ID]).where(*conditions, *under).limit(most + 1 - found).subquery()
        found += connection.execute(select(func.count()).select_from(some)).scalar_one()
        if found > most:
            break
    return found


def _under(dataset: Dataset, keys: Sequence[Sequence[Any]]) -> Iterator[list[Where]]:
    """Yield conditions that a row is under one of some keys: SQLite takes an OR of a thousand at the most."""
    if not keys:
        yield []
    for start in range(0, len(keys), _TOGETHER):
        yield [or_(*(key_range(dataset, key) for key in keys[start : start + _TOGETHER]))]


def _remove_selected(
    connection: Connection, dataset: Dataset, conditions: Sequence[Where], where: Condition
) -> int:
    """Delete those rows that a condition selects which SQL can't say whole, in slices by key."""
    table = table_of(dataset)
    columns = [column for column in stored_columns(dataset) if column.name in where.fields]
    shown = (table.c[name] for name in (KEY, ID, AT, *(physical(column) for column in columns)))
    query = select(*shown).where(*conditions).order_by(table.c[KEY]).limit(_SLICE)
    read = reader(dataset, columns, nulls=False)
    deleted, after, looked = 0, b"", _SLICE
    while looked == _SLICE:
        meant, looked = [], 0
        following = query.where(table.c[KEY] > after).execution_options(yield_per=_FETCHED)
        with connection.execute(following) as rows:
            for row in rows:
                after, looked = row[0], looked + 1
                if selects(where, read(row[1:])):
                    meant.append(after)
        for start in range(0, len(meant), _TOGETHER):
            some = table.c[KEY].in_(meant[start : start + _TOGETHER])
            deleted += connection.execute(delete(table).where(some)).rowcount
    return deleted
