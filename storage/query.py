"""One page of a dataset's records, in a stable order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.visitors import replacement_traverse

from rules.envelope import ID_FIELD, TIME_FIELD, Record
from rules.schema.dataset import Dataset
from storage.removal import key_range, time_range
from storage.rows import reader
from storage.sql import Where
from storage.tables import AT, ID, physical, stored_columns, table_of, time_column


@dataclass(frozen=True, slots=True)
class Page:
    """Which records are wanted, and how many.

    `key` holds values of the first key columns, in stored form; `begin` and `end` are a half-open range
    in ns since 1970 against the date column or the arrival. `offset` records are passed over first.
    """

    limit: int
    offset: int = 0
    key: tuple[Any, ...] = ()
    begin: int | None = None
    end: int | None = None
    oldest_first: bool = False


def shown_fields(dataset: Dataset) -> list[str]:
    """Return the fields every record shows: all columns, `_id`, and `_time` where no column is the date."""
    own = [ID_FIELD] if dataset.date is not None else [ID_FIELD, TIME_FIELD]
    return [*(column.name for column in dataset.columns), *own]


def page(connection: Connection, dataset: Dataset, wanted: Page, fields: Sequence[str]) -> Iterator[Record]:
    """Yield the records of a page with exactly these fields, an absent one null.

    They come newest (or oldest) first by the date column or the arrival, then by `_id` the same way, so
    that pages neither overlap nor leave a gap. `fields` are of `shown_fields`.
    """
    table = table_of(dataset)
    columns = [column for column in stored_columns(dataset) if column.name in set(fields)]
    read = reader(dataset, columns, nulls=True)
    order = (table.c[time_column(dataset)], table.c[ID])
    query = (
        select(table.c[ID], table.c[AT], *(table.c[physical(column)] for column in columns))
        .where(*_conditions(dataset, wanted))
        .order_by(*(order if wanted.oldest_first else (column.desc() for column in order)))
        .limit(wanted.limit)
        .offset(wanted.offset)
    )
    for row in connection.execute(query):
        record = read(row)
        # a column that was only ever null has nothing in the table
        yield {name: record.get(name) for name in fields}


def _conditions(dataset: Dataset, wanted: Page) -> list[Where]:
    within = time_range(dataset, wanted.begin, wanted.end)
    if not wanted.key:
        return within
    # SQLite takes both ends of a time for narrower than a key, and would read the whole range to find the
    # key's records in it; of a column within a function it knows no index
    column = table_of(dataset).c[time_column(dataset)]
    hidden = func.coalesce(column, column)

    def hide(element: Any, **kw: Any) -> Any:  # noqa: ARG001
        return hidden if element is column else None

    return [key_range(dataset, wanted.key), *(replacement_traverse(one, {}, hide) for one in within)]
