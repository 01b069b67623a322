"""What the values of a batch say of the types of properties that no schema has.

The rule (the contract, section 4): integers and numbers join to number, dates, date-times and texts to
string; of any other mix the first value that is not null decides. No key and no date column is guessed.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple

from rules.names import field_problem
from rules.schema.dataset import ColumnType
from rules.schema.fit import Misfit, is_wide, misfit, out_of_range, wrong_type
from rules.schema.moments import looks_like_date, looks_like_moment
from rules.schema.values import MAX_INTEGER, MIN_INTEGER

_TEXTS: Final = frozenset({ColumnType.STRING, ColumnType.DATE, ColumnType.DATETIME})
_NUMBERS: Final = frozenset({ColumnType.INTEGER, ColumnType.NUMBER})
_MAX_PAIRED: Final = 12
_MAX_CANDIDATES: Final = 10


class Inferred(NamedTuple):
    """The type that values seen so far give a property; `wide`: an integer beyond ±2^53 was seen."""

    type: ColumnType = ColumnType.UNTYPED
    wide: bool = False


UNSEEN: Final = Inferred()


def infer(records: Iterable[object]) -> dict[str, ColumnType]:
    """Return the column types of all properties of a sample, in the order in which they appear.

    Values that do not fit the type the first ones gave, properties whose names are not allowed (`_id` too)
    and members that are no objects are passed over.
    """
    seen: dict[str, Inferred] = {}
    for record in records:
        if isinstance(record, Mapping):
            for name, value in record.items():
                if field_problem(name) is not None:
                    continue
                joined = join(name, seen.get(name, UNSEEN), value)
                if not isinstance(joined, Misfit):
                    seen[name] = joined
    return {name: inferred.type for name, inferred in seen.items()}


def type_of(value: Any) -> ColumnType:
    """Return the column type that one JSON value asks for; null asks for none (UNTYPED)."""
    if isinstance(value, str):
        if looks_like_moment(value):
            return ColumnType.DATETIME
        return ColumnType.DATE if looks_like_date(value) else ColumnType.STRING
    if isinstance(value, bool):
        return ColumnType.BOOLEAN
    if isinstance(value, int):
        return ColumnType.INTEGER
    if isinstance(value, float):
        return ColumnType.NUMBER
    if isinstance(value, dict):
        return ColumnType.OBJECT
    return ColumnType.ARRAY if isinstance(value, list) else ColumnType.UNTYPED


def join(name: str, seen: Inferred, value: Any) -> Inferred | Misfit:
    """Return what a further value makes of a property's inferred type, or why it does not fit it."""
    if value is None:
        return seen
    if seen.type is ColumnType.STRING and isinstance(value, str):
        return seen
    kind = type_of(value)
    if kind is ColumnType.INTEGER and not MIN_INTEGER <= value <= MAX_INTEGER:
        return out_of_range(name, kind, value)
    if seen.type is ColumnType.UNTYPED:
        return Inferred(kind, kind is ColumnType.INTEGER and is_wide(value))
    if seen.type in _TEXTS and kind in _TEXTS:
        return seen if kind is seen.type else Inferred(ColumnType.STRING)
    if seen.type in _NUMBERS and kind in _NUMBERS:
        return _join_numbers(name, seen, kind, value)
    return seen if kind is seen.type else wrong_type(name, seen.type, value)


def _join_numbers(name: str, seen: Inferred, kind: ColumnType, value: int | float) -> Inferred | Misfit:
    if seen.type is ColumnType.INTEGER and kind is ColumnType.INTEGER:
        return Inferred(seen.type, seen.wide or is_wide(value))
    joined = Inferred(seen.type if seen.wide else ColumnType.NUMBER, seen.wide)
    return misfit(name, joined.type, value) or joined


def key_candidates(records: Sequence[object]) -> list[list[str]]:
    """Return the columns, or else the pairs of columns, that could be the key of such records.

    Their values are texts or integers, present in every record of the sample, and none occurs twice. At
    most ten; pairs among the first twelve such columns. A single record tells nothing.
    """
    objects = [record for record in records if isinstance(record, Mapping)]
    if len(objects) < 2 or len(objects) < len(records):
        return []
    lists = (
        (name, [record.get(name) for record in objects]) for name in objects[0] if field_problem(name) is None
    )
    columns = {name: values for name, values in lists if {type(value) for value in values} <= {str, int}}
    single = [[name] for name, values in columns.items() if len(set(values)) == len(values)]
    if single:
        return single[:_MAX_CANDIDATES]
    pairs = combinations(list(columns.items())[:_MAX_PAIRED], 2)
    found = [
        [one, two]
        for (one, left), (two, right) in pairs
        if len(set(zip(left, right, strict=True))) == len(objects)
    ]
    return found[:_MAX_CANDIDATES]
