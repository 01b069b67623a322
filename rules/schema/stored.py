"""The stored form of records: what reads back, what rules see, what keys are made of.

Whoever stores checks Python types itself, because drivers coerce (asyncpg stores 1.5 as 1 in a bigint).
The work goes column by column: one set of types a column tells whether anything has to be looked at.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from rules.envelope import Record
from rules.errors import BAD_MOMENT, NUMBER_OUT_OF_RANGE, WRONG_TYPE, Never
from rules.ids import canonical_key, point_key, tag_bytes
from rules.schema.dataset import Column, ColumnType, Dataset
from rules.schema.moments import format_moment, normal_moment, normal_stamp, parse_date, parse_moment
from rules.schema.values import MAX_INTEGER, MAX_UNSIGNED, MIN_INTEGER

_NONE: Final = type(None)

TAG_SETS: Final = 16_384
"""Tag sets whose part of a key is remembered."""

_CLEAN: Final[Mapping[ColumnType, frozenset[type]]] = {
    ColumnType.STRING: frozenset({str, _NONE}),
    ColumnType.NUMBER: frozenset({float, _NONE}),
    ColumnType.BOOLEAN: frozenset({bool, _NONE}),
    ColumnType.OBJECT: frozenset({dict, _NONE}),
    ColumnType.ARRAY: frozenset({list, _NONE}),
    ColumnType.ANY: frozenset({str, int, float, bool, dict, list, _NONE}),
    ColumnType.UNTYPED: frozenset({_NONE}),
}


def _integer(value: Any) -> int:
    return _whole(value, MIN_INTEGER, MAX_INTEGER, "-2^63 … 2^63-1")


def _unsigned(value: Any) -> int:
    return _whole(value, 0, MAX_UNSIGNED, "0 … 2^64-1")


def _whole(value: Any, least: int, most: int, reach: str) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise Never(WRONG_TYPE, f"an integer was expected, not {value!r:.60}")
    if not least <= value <= most:
        raise Never(NUMBER_OUT_OF_RANGE, f"{value} is outside {reach}")
    return value


def _number(value: Any) -> float:
    if type(value) is int:
        return float(value)
    raise Never(WRONG_TYPE, f"a number was expected, not {value!r:.60}")


def _datetime(value: Any) -> str:
    return _moment(value, normal_moment)


def _stamp(value: Any) -> str:
    return _moment(value, normal_stamp)


def _date(value: Any) -> str:
    return _moment(value, parse_date)


def _moment(value: Any, read: Callable[[str], str]) -> str:
    if type(value) is not str:
        raise Never(BAD_MOMENT, f"a date was expected, not {value!r:.60}")
    try:
        return read(value)
    except ValueError as error:
        raise Never(BAD_MOMENT, str(error)) from error


_CONVERT: Final[Mapping[ColumnType, Callable[[Any], Any]]] = {
    ColumnType.INTEGER: _integer,
    ColumnType.UNSIGNED: _unsigned,
    ColumnType.NUMBER: _number,
    ColumnType.DATETIME: _datetime,
    ColumnType.DATE: _date,
}


def _converter(dataset: Dataset, column: Column) -> Callable[[Any], Any] | None:
    if column.name == dataset.stamp and column.type is ColumnType.DATETIME:
        return _stamp
    return _CONVERT.get(column.type)


def stored_form(dataset: Dataset, records: Sequence[Record]) -> tuple[list[Record], dict[int, Never]]:
    """Return the records as they will read back, and by position those that can't be stored.

    A record that changes is copied; one that does not is the same object. A key that no column has is a
    fault of the door and refused here (`wrong_type`), never dropped.
    """
    out = list(records)
    bad: dict[int, Never] = {}
    columns = dataset.by_name.keys()
    for position, record in enumerate(records):
        if not record.keys() <= columns:
            unknown = sorted(record.keys() - columns)[0]
            bad[position] = Never(WRONG_TYPE, f"{unknown!r} is no column of version {dataset.version}")
    for column in dataset.columns:
        _convert(column, _converter(dataset, column), out, bad)
    return out, bad


def _convert(
    column: Column, convert: Callable[[Any], Any] | None, out: list[Record], bad: dict[int, Never]
) -> None:
    """Bring one column of the records into stored form, in place."""
    name = column.name
    values = [record.get(name) for record in out]
    types = set(map(type, values))
    clean = _CLEAN.get(column.type)
    if (clean is not None and types <= clean) or types == {_NONE}:
        return
    if types == {int} and column.type is ColumnType.INTEGER and _fit(values):
        return
    for position, value in enumerate(values):
        if value is None or (clean is not None and type(value) in clean):
            continue
        try:
            if convert is None:
                raise Never(WRONG_TYPE, f"{column.type} was expected for {name!r}, not {value!r:.60}")
            new = convert(value)
        except Never as never:
            bad.setdefault(position, never)
            continue
        if type(new) is not type(value) or new != value:
            out[position] = {**out[position], name: new}


def _fit(integers: list[Any]) -> bool:
    return bool(min(integers) >= -(2**63) and max(integers) < 2**63)


def record_key(dataset: Dataset, record: Record) -> bytes:
    """Return the canonical bytes of a stored-form record's key. The dataset must have one."""
    stamp = dataset.stamp
    if stamp is None:
        return canonical_key([record.get(name) for name in dataset.key])
    tags = dataset.tags
    return point_key(parse_moment(record[stamp]), _tags(tags, tuple([record.get(tag) for tag in tags])))


@lru_cache(maxsize=TAG_SETS)
def _tags(names: tuple[str, ...], values: tuple[str | None, ...]) -> bytes:
    """Return what a tag set adds to its points' keys; the points of a batch have few."""
    return tag_bytes((name, value) for name, value in zip(names, values, strict=True) if value is not None)


def stored_values(dataset: Dataset, record: Record, names: Iterable[str]) -> list[Any]:
    """Return a record's values of some columns in stored form; what can't be converted stays as it is."""
    return [_stored_value(dataset, dataset.by_name[name], record.get(name)) for name in names]


def _stored_value(dataset: Dataset, column: Column, value: Any) -> Any:
    convert = _converter(dataset, column)
    if value is None or convert is None or type(value) in _CLEAN.get(column.type, ()):
        return value
    try:
        return convert(value)
    except Never:
        return value


def without_nulls(record: Record) -> Record:
    """Return the record without its null fields: in stored form absent and null are one."""
    if None in record.values():
        return {name: value for name, value in record.items() if value is not None}
    return record


def key_values(dataset: Dataset, texts: Iterable[str]) -> list[Any]:
    """Return key values given as text (in a URL) as values of the first key columns.

    Raises: ValueError with a sentence where one can't be a value of its column.
    """
    return [_from_text(dataset.by_name[name], text) for name, text in zip(dataset.key, texts, strict=False)]


def _from_text(column: Column, text: str) -> Any:
    try:
        if column.type is ColumnType.INTEGER:
            return _integer(int(text))
        if column.type is ColumnType.UNSIGNED:
            return _unsigned(int(text))
        if column.type is ColumnType.NUMBER:
            return float(text)
        if column.type is ColumnType.BOOLEAN:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if column.type is ColumnType.DATETIME:
            return format_moment(parse_moment(text))
        if column.type is ColumnType.DATE:
            return parse_date(text)
    except (ValueError, KeyError, Never) as error:
        raise ValueError(
            f"{text[:60]!r} is no {column.type} as the key column {column.name!r} has"
        ) from error
    return text
