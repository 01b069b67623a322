"""Texts of a CSV's cells as values: which type a column of them asks for, and what each means in its column.

A column is judged as a whole, in one match where it can be: a cell alone would take ten times as long. What
would lose a digit or a leading zero as a number stays a text (`007`, integers beyond 64 bits).
"""

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final

import msgspec

from rules.schema.dataset import MAX_EXACT, ColumnType
from rules.schema.infer import UNSEEN, Inferred
from rules.schema.moments import looks_like_date, looks_like_moment
from rules.schema.values import MAX_INTEGER, MIN_INTEGER

_INTEGER: Final = r"(?:0|-?[1-9][0-9]{0,18}+)"
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_ONE_INTEGER: Final = re.compile(_INTEGER)
_ONE_NUMBER: Final = re.compile(_NUMBER)
_WHOLE: Final = re.compile(r"-?[0-9]++")
_INTEGERS: Final = re.compile(rf"(?:(?:{_INTEGER})?+\n)*+")
_FULL_INTEGERS: Final = re.compile(rf"(?:{_INTEGER}\n)*+")
_NUMBERS: Final = re.compile(rf"(?:(?:{_NUMBER})?+\n)*+")
_BOOLEANS: Final = re.compile(r"(?:(?:true|false)?+\n)*+", re.IGNORECASE)
_WORDS: Final = {"true": True, "false": False, "1": True, "0": False}
_LONGEST: Final = 400
"""Characters of a number that is looked at as one: no double needs more."""

_decode = msgspec.json.Decoder().decode


def type_of_cells(cells: Sequence[str]) -> Inferred:
    """Return the type that these texts ask for together; empty ones ask for none."""
    if not any(cells):
        return UNSEEN
    whole = "\n".join(cells) + "\n"
    if whole.count("\n") == len(cells):
        if _INTEGERS.fullmatch(whole):
            values = [int(cell) for cell in cells if cell]
            least, most = min(values), max(values)
            if least >= MIN_INTEGER and most <= MAX_INTEGER:
                return Inferred(ColumnType.INTEGER, not -MAX_EXACT <= least <= most <= MAX_EXACT)
        elif _NUMBERS.fullmatch(whole) and all(_exact(cell) for cell in cells if cell):
            return Inferred(ColumnType.NUMBER)
        elif _BOOLEANS.fullmatch(whole):
            return Inferred(ColumnType.BOOLEAN)
    given = [cell for cell in cells if cell]
    if all(map(looks_like_date, given)):
        return Inferred(ColumnType.DATE)
    return Inferred(ColumnType.DATETIME if all(map(looks_like_moment, given)) else ColumnType.STRING)


def join_types(one: Inferred, other: Inferred) -> Inferred:
    """Return the type of a column that holds cells of both; whatever does not go together is text."""
    if one.type is other.type:
        return Inferred(one.type, one.wide or other.wide)
    if one.type is ColumnType.UNTYPED:
        return other
    if other.type is ColumnType.UNTYPED:
        return one
    numbers = {one.type, other.type} == {ColumnType.INTEGER, ColumnType.NUMBER}
    if numbers and not one.wide and not other.wide:
        return Inferred(ColumnType.NUMBER)
    return Inferred(ColumnType.STRING)


def values_of_cells(cells: Sequence[str], kind: ColumnType) -> Sequence[Any]:
    """Return the values that texts mean in a column of this type.

    An empty cell is an empty text in a text column and null in any other. A text that means nothing there
    is left as it is, for the check of the record to name.
    """
    if kind is ColumnType.STRING:
        return cells
    if kind is ColumnType.INTEGER:
        whole = "\n".join(cells) + "\n"
        if whole.count("\n") == len(cells) and _FULL_INTEGERS.fullmatch(whole):
            return list(map(int, cells))
    read = _READ.get(kind)
    if read is None:
        return [cell or None for cell in cells]
    return [read(cell) if cell else None for cell in cells]


def _exact(cell: str) -> bool:
    """Return whether a number's text keeps its value as a double, as far as JSON's numbers do."""
    if len(cell) > _LONGEST or not isfinite(float(cell)):
        return False
    return not _WHOLE.fullmatch(cell) or abs(int(cell)) <= MAX_EXACT


def _integer(cell: str) -> Any:
    if _ONE_INTEGER.fullmatch(cell):
        return int(cell)
    return _number(cell)


def _unsigned(cell: str) -> Any:
    return int(cell) if len(cell) <= 20 and _WHOLE.fullmatch(cell) else cell


def _number(cell: str) -> Any:
    if len(cell) > _LONGEST or not _ONE_NUMBER.fullmatch(cell):
        return cell
    if _WHOLE.fullmatch(cell) and abs(int(cell)) > MAX_EXACT:
        return int(cell)
    return float(cell)


def _boolean(cell: str) -> Any:
    return _WORDS.get(cell.lower(), cell)


def _nested(cell: str) -> Any:
    try:
        return _decode(cell)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return cell


_READ: Final[dict[ColumnType, Callable[[str], Any]]] = {
    ColumnType.INTEGER: _integer,
    ColumnType.UNSIGNED: _unsigned,
    ColumnType.NUMBER: _number,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.OBJECT: _nested,
    ColumnType.ARRAY: _nested,
}
