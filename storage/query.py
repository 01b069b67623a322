"""One page of a dataset's records, in a stable order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.sql.visitors import replacement_traverse

from rules.condition.condition import Condition
from rules.condition.where import selects
from rules.envelope import ID_FIELD, TIME_FIELD, Record
from rules.schema.dataset import Column, Dataset
from storage.bounded import Bound
from storage.removal import key_range, time_range
from storage.rows import reader
from storage.sql import Where
from storage.tables import AT, ID, physical, stored_columns, table_of, time_column
from storage.where import pushed

_FETCHED: Final = 100
"""Rows that are taken from the database at once: one may have a megabyte, and a page ten thousand of them."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which records are wanted, and how many.

    `key` holds values of the first key columns, in stored form; `begin` and `end` are a half-open range
    in ns since 1970 against the date column or the arrival. `where` selects among these, see
    `rules.condition.where`. `offset` records are passed over first.
    """

    limit: int
    offset: int = 0
    key: tuple[Any, ...] = ()
    begin: int | None = None
    end: int | None = None
    oldest_first: bool = False
    where: Condition | None = None


def shown_fields(dataset: Dataset) -> list[str]:
    """Return the fields every record shows: all columns, `_id`, and `_time` where no column is the date."""
    own = [ID_FIELD] if dataset.date is not None else [ID_FIELD, TIME_FIELD]
    return [*(column.name for column in dataset.columns), *own]


def page(
    connection: Connection, dataset: Dataset, wanted: Page, fields: Sequence[str], bound: Bound
) -> Iterator[Record]:
    """Yield the records of a page with exactly these fields, an absent one null.

    They come newest (or oldest) first by the date column or the arrival, then by `_id` the same way, so
    that pages neither overlap nor leave a gap. `fields` are of `shown_fields`.

    Raises: TooMuch, TooSlow, as `bound` says of the rows that `where` has to be asked about one by one.
    """
    columns = [column for column in stored_columns(dataset) if column.name in {*fields}]
    decided = pushed(dataset, wanted.where.tree) if wanted.where is not None else None
    query = _ordered(dataset, wanted).where(*([] if decided is None else decided.conditions))
    if wanted.where is None or decided is None or decided.exact:
        read = reader(dataset, columns, nulls=True)
        with connection.execute(_showing(dataset, query, columns, wanted)) as rows:
            for row in rows:
                record = read(row)
                # a column that was only ever null has nothing in the table
                yield {name: record.get(name) for name in fields}
        return
    looked = {*fields, *wanted.where.fields}
    columns = [column for column in stored_columns(dataset) if column.name in looked]
    read = reader(dataset, columns, nulls=False)
    with connection.execute(_showing(dataset, query, columns, None)) as rows:
        found = (record for row in bound.counted(rows) if selects(wanted.where, record := read(row)))
        for record in islice(found, wanted.offset, wanted.offset + wanted.limit):
            yield {name: record.get(name) for name in fields}


def _ordered(dataset: Dataset, wanted: Page) -> Select[Any]:
    """Return the rows that key and time select, in their order, without columns."""
    table = table_of(dataset)
    order = (table.c[time_column(dataset)], table.c[ID])
    turned = order if wanted.oldest_first else (column.desc() for column in order)
    return select(table.c[ID], table.c[AT]).where(*_conditions(dataset, wanted)).order_by(*turned)


def _showing(
    dataset: Dataset, query: Select[Any], columns: Sequence[Column], wanted: Page | None
) -> Select[Any]:
    """Return a query with these columns, cut to its page where one is given; rows come little by little."""
    table = table_of(dataset)
    shown = query.add_columns(*(table.c[physical(column)] for column in columns))
    if wanted is not None:
        shown = shown.limit(wanted.limit).offset(wanted.offset)
    few = wanted is not None and wanted.limit <= _FETCHED
    return shown if few else shown.execution_options(yield_per=_FETCHED)


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
