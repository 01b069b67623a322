"""Rows read by key, for the fold."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, Table, select

from rules.envelope import ID_FIELD, TIME_FIELD
from rules.fold import Present
from rules.schema.dataset import Dataset
from storage.rows import reader
from storage.tables import AT, ID, KEY, physical, stored_columns, table_of

_TOGETHER: Final = 500
_FEW: Final = 20


def present(connection: Connection, dataset: Dataset, keys: Collection[bytes]) -> dict[bytes, Present]:
    """Return the rows stored under these keys, by key."""
    table = table_of(dataset)
    columns = stored_columns(dataset)
    read = reader(dataset, columns, nulls=False)
    query = select(table.c[KEY], table.c[ID], table.c[AT], *(table.c[physical(c)] for c in columns))
    wanted = list(keys)
    if len(wanted) > _FEW and _all_behind(connection, table, wanted):
        return {}
    found: dict[bytes, Present] = {}
    for start in range(0, len(wanted), _TOGETHER):
        part = wanted[start : start + _TOGETHER]
        for row in connection.execute(query.where(table.c[KEY].in_(part))):
            record = read(row[1:])
            record.pop(ID_FIELD)
            record.pop(TIME_FIELD, None)
            found[row[0]] = Present(row[1], row[2], record)
    return found


def _all_behind(connection: Connection, table: Table, keys: Collection[bytes]) -> bool:
    """Return whether all keys are behind the last one stored, as are points that come in their order."""
    # PostgreSQL before 18 has no max() of bytes; the index of keys answers this just as soon
    last = connection.execute(select(table.c[KEY]).order_by(table.c[KEY].desc()).limit(1)).scalar()
    return last is None or min(keys) > last
