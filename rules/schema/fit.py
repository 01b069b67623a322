"""Whether a value fits a column: the one statement of what each column type takes.

Whatever fits can be converted to the column's stored form without loss: an integral float in an integer
column means the integer, a date in a date-time column its midnight in UTC.
"""

from math import isfinite
from typing import Any, Final, NamedTuple

from rules.errors import BAD_MOMENT, NUMBER_OUT_OF_RANGE, WRONG_TYPE, Code
from rules.schema.dataset import MAX_EXACT, ColumnType
from rules.schema.moments import parse_date, parse_moment
from rules.schema.values import MAX_INTEGER, MAX_UNSIGNED, MIN_INTEGER, quoted, shown


class Misfit(NamedTuple):
    """Why a value does not fit its column."""

    code: Code
    message: str


EXPECTED: Final = {
    ColumnType.STRING: "a text",
    ColumnType.INTEGER: "an integer",
    ColumnType.UNSIGNED: "an integer of 0 or more",
    ColumnType.NUMBER: "a number",
    ColumnType.BOOLEAN: "true or false",
    ColumnType.DATE: "a date",
    ColumnType.DATETIME: "a date-time",
    ColumnType.OBJECT: "an object",
    ColumnType.ARRAY: "a list",
    ColumnType.ANY: "any value",
    ColumnType.UNTYPED: "null, as it has no type yet",
}
_REACH: Final = {ColumnType.INTEGER: "-2^63 to 2^63-1", ColumnType.UNSIGNED: "0 to 2^64-1"}
_PYTHON: Final[dict[ColumnType, type]] = {
    ColumnType.STRING: str,
    ColumnType.BOOLEAN: bool,
    ColumnType.DATE: str,
    ColumnType.DATETIME: str,
    ColumnType.OBJECT: dict,
    ColumnType.ARRAY: list,
}


def misfit(name: str, kind: ColumnType, value: Any) -> Misfit | None:
    """Return why `value` does not fit a column of this type, or None. Null fits every column."""
    if value is None or kind is ColumnType.ANY:
        return None
    if kind is ColumnType.INTEGER or kind is ColumnType.UNSIGNED:
        return _integer(name, kind, value)
    if kind is ColumnType.NUMBER:
        return _number(name, value)
    if not isinstance(value, _PYTHON.get(kind, type(None))):
        return wrong_type(name, kind, value)
    return _moment(name, kind, value)


def wrong_type(name: str, kind: ColumnType, value: Any) -> Misfit:
    """Return the misfit of a value that is of another type than its column."""
    return Misfit(WRONG_TYPE, f"Column {quoted(name)} takes {EXPECTED[kind]}; {shown(value)} came.")


def out_of_range(name: str, kind: ColumnType, value: Any) -> Misfit:
    """Return the misfit of a number that its column can't hold exactly."""
    reach = _REACH.get(kind, "±2^53, where doubles are exact")
    return Misfit(
        NUMBER_OUT_OF_RANGE, f"Column {quoted(name)} takes integers within {reach}; {shown(value)} came."
    )


def is_wide(value: Any) -> bool:
    """Return whether a value of an integer column lies beyond ±2^53, so that a number can't hold it."""
    return isinstance(value, (int, float)) and not -MAX_EXACT <= value <= MAX_EXACT


def _integer(name: str, kind: ColumnType, value: Any) -> Misfit | None:
    if isinstance(value, bool) or not (
        isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    ):
        return wrong_type(name, kind, value)
    least, most = (0, MAX_UNSIGNED) if kind is ColumnType.UNSIGNED else (MIN_INTEGER, MAX_INTEGER)
    return None if least <= value <= most else out_of_range(name, kind, value)


def _number(name: str, value: Any) -> Misfit | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return wrong_type(name, ColumnType.NUMBER, value)
    if is_wide(value) if isinstance(value, int) else not isfinite(value):
        return out_of_range(name, ColumnType.NUMBER, value)
    return None


def _moment(name: str, kind: ColumnType, value: Any) -> Misfit | None:
    try:
        if kind is ColumnType.DATETIME:
            parse_moment(value)
        elif kind is ColumnType.DATE:
            parse_date(value)
    except ValueError as error:
        return Misfit(BAD_MOMENT, f"Column {quoted(name)} takes {EXPECTED[kind]}: {error}")
    return None
