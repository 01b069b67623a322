"""Records that were stored, or admitted, under an earlier version of their dataset, brought into a later one.

What is certain is converted, nothing is guessed: a text that says a number becomes that number, any value can
be a text, a date-time at midnight (UTC) can be a date; what would lose a digit, a time of day or its meaning
is refused. Columns that are gone leave no trace; where a value is absent, the schema's `default` stands in.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from rules.envelope import Record
from rules.errors import MISSING_KEY, SCHEMA_CHANGED, Never
from rules.schema.cells import values_of_cells
from rules.schema.columns import shape_of
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.moments import parse_date, parse_moment
from rules.schema.stored import stored_form
from rules.schema.values import quoted, shown

_MIDNIGHT: Final = "T00:00:00Z"
_FROM_TEXT: Final = frozenset(
    {
        ColumnType.INTEGER,
        ColumnType.UNSIGNED,
        ColumnType.NUMBER,
        ColumnType.BOOLEAN,
        ColumnType.OBJECT,
        ColumnType.ARRAY,
    }
)


def carried(dataset: Dataset, records: Sequence[Record]) -> tuple[list[Record], dict[int, Never]]:
    """Return records of an earlier version in this one's stored form, and by position those that can't be.

    Absent values are the schema's defaults, and what it requires is there.
    """
    return _all(dataset, records, _defaults(dataset), _required(dataset))


def carried_on(dataset: Dataset, records: Sequence[Record]) -> tuple[list[Record], dict[int, Never]]:
    """Return records that an earlier version admitted, as `carried` does, without defaults and requirements.

    They may be merged into stored ones, and their nulls are meant.
    """
    return _all(dataset, records, {}, dataset.required_key)


def _all(
    dataset: Dataset, records: Sequence[Record], defaults: Mapping[str, Any], required: Sequence[str]
) -> tuple[list[Record], dict[int, Never]]:
    out: list[Record] = []
    bad: dict[int, Never] = {}
    for position, record in enumerate(records):
        try:
            out.append(_carried(dataset, record, defaults, required))
        except Never as never:
            bad[position] = never
            out.append({})
    form, unfit = stored_form(dataset, out)
    return form, {**{at: Never(SCHEMA_CHANGED, never.message) for at, never in unfit.items()}, **bad}


def check_defaults(dataset: Dataset) -> None:
    """Raise Never where a column can't hold the default that the schema declares for it."""
    for name, value in _defaults(dataset).items():
        kind = dataset.by_name[name].type
        try:
            _, unfit = stored_form(dataset, [{name: _converted(kind, value)}])
        except Never as never:
            unfit = {0: never}
        if unfit:
            raise Never(SCHEMA_CHANGED, f"the default of {quoted(name)} does not fit its column")


def _carried(
    dataset: Dataset, record: Record, defaults: Mapping[str, Any], required: Sequence[str]
) -> Record:
    new: Record = {}
    for column in dataset.columns:
        value = record.get(column.name)
        if value is None:
            value = defaults.get(column.name)
        if value is None and column.name in record:
            new[column.name] = None
        if value is not None:
            try:
                new[column.name] = _converted(column.type, value)
            except ValueError as error:
                raise Never(SCHEMA_CHANGED, f"Column {quoted(column.name)}: {error}.") from None
    for name in required:
        if new.get(name) is None:
            code = MISSING_KEY if name in dataset.required_key else SCHEMA_CHANGED
            raise Never(code, f"Column {quoted(name)} needs a value and has none.")
    return new


def _defaults(dataset: Dataset) -> dict[str, Any]:
    properties = dataset.schema.get("properties", {})
    declared = {column.name: properties.get(column.name) for column in dataset.columns}
    return {
        name: one["default"]
        for name, one in declared.items()
        if isinstance(one, Mapping) and one.get("default") is not None
    }


def _required(dataset: Dataset) -> list[str]:
    """Return the columns that no record may lack: absent and null are one in what is stored."""
    properties = dataset.schema.get("properties", {})
    declared = [
        name
        for name in dataset.schema.get("required", ())
        if name in dataset.by_name and not shape_of(properties.get(name), dataset.schema).nullable
    ]
    return list(dict.fromkeys([*dataset.required_key, *declared]))


def _converted(kind: ColumnType, value: Any) -> Any:
    """Return a value as a column of this type takes it; what needs no conversion is checked elsewhere.

    Raises: ValueError, with the reason.
    """
    convert = _TO.get(kind)
    if convert is not None:
        return convert(value)
    if kind in _FROM_TEXT and isinstance(value, str) and value:
        value = values_of_cells([value], kind)[0]
    if kind is ColumnType.BOOLEAN and type(value) in (int, float) and value in (0, 1):
        return bool(value)
    if kind is ColumnType.NUMBER and type(value) is int and int(float(value)) != value:
        raise ValueError(f"{value} loses digits as a double")
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _date(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_date(value)
    except ValueError:
        if parse_moment(value) % (86_400 * 10**9) == 0 and value.endswith(_MIDNIGHT):
            return value[: -len(_MIDNIGHT)]
        raise ValueError(f"{shown(value)} has a time of day, which a date would lose") from None


_TO: Final[Mapping[ColumnType, Callable[[Any], Any]]] = {
    ColumnType.STRING: _text,
    ColumnType.DATE: _date,
}
