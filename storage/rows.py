"""Record ↔ row: the one mapper. Records are in stored form on the way in and on the way out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from rules.envelope import ID_FIELD, TIME_FIELD, Record
from rules.schema.dataset import Column, ColumnType, Dataset
from rules.schema.moments import format_moment, format_stamp, parse_moment
from storage.tables import stored_columns

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def _json(value: Any) -> str:
    return _encode(value).decode()


def digits(value: int) -> str:
    """Return an unsigned integer as text that sorts as it does: no integer type of a database holds it."""
    return f"{value:020d}"


_TO_ROW: Final[Mapping[ColumnType, Callable[[Any], Any]]] = {
    ColumnType.DATETIME: parse_moment,
    ColumnType.UNSIGNED: digits,
    ColumnType.OBJECT: _json,
    ColumnType.ARRAY: _json,
    ColumnType.ANY: _json,
}

_FROM_ROW: Final[Mapping[ColumnType, Callable[[Any], Any]]] = {
    ColumnType.UNSIGNED: int,
    ColumnType.NUMBER: float,
    ColumnType.BOOLEAN: bool,
    ColumnType.DATETIME: format_moment,
    ColumnType.OBJECT: _decode,
    ColumnType.ARRAY: _decode,
    ColumnType.ANY: _decode,
}


def _from_row(dataset: Dataset, column: Column) -> Callable[[Any], Any] | None:
    if column.name == dataset.stamp and column.type is ColumnType.DATETIME:
        return format_stamp
    return _FROM_ROW.get(column.type)


def to_columns(dataset: Dataset, records: Sequence[Record]) -> list[list[Any]]:
    """Return the records' values column by column, in the order of `stored_columns`."""
    return [_column(column, records) for column in stored_columns(dataset)]


def _column(column: Column, records: Sequence[Record]) -> list[Any]:
    name = column.name
    convert = _TO_ROW.get(column.type)
    if convert is None:
        return [record.get(name) for record in records]
    values = (record.get(name) for record in records)
    return [None if value is None else convert(value) for value in values]


def reader(dataset: Dataset, columns: Iterable[Column], *, nulls: bool) -> Callable[[Sequence[Any]], Record]:
    """Return a function from a row `(_id, _at, *columns)` to a record.

    With `nulls` an absent field is null (the form callers read), without it is left out (the form rules
    see and merges build on). `_time` is given where the dataset has no date column.
    """
    fields = [(column.name, _from_row(dataset, column)) for column in columns]
    timed = dataset.date is None

    def read(row: Sequence[Any]) -> Record:
        record: Record = {}
        for (name, convert), value in zip(fields, row[2:], strict=True):
            if value is not None:
                record[name] = value if convert is None else convert(value)
            elif nulls:
                record[name] = None
        record[ID_FIELD] = row[0]
        if timed:
            record[TIME_FIELD] = format_moment(row[1])
        return record

    return read
