"""How a dataset follows its records: columns are added, get their type, widen; nothing else changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rules.errors import VERSION_CONFLICT, Problem
from rules.schema.columns import property_schema
from rules.schema.dataset import Column, ColumnType, Dataset
from rules.schema.values import quoted
from rules.schema.widen import may_widen, widened


@dataclass(frozen=True, slots=True)
class NewType:
    """A property and the type its column gets. `wide`: an integer beyond ±2^53 was accepted in it."""

    name: str
    type: ColumnType
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Additions:
    """What accepted records need of the catalogue before they can be stored. False if nothing.

    `columns` are new, `typed` had no type so far, `widened` go from integer to number, `wide` are integer
    columns in which a value beyond ±2^53 was accepted. `key` are columns that join the key at its end
    (InfluxDB's tags, seen for the first time).
    """

    columns: tuple[NewType, ...] = ()
    typed: tuple[NewType, ...] = ()
    widened: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()
    key: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.columns or self.typed or self.widened or self.wide or self.key)


NOTHING = Additions()


def evolve(dataset: Dataset, additions: Additions) -> Dataset:
    """Return the dataset's next version, with what the additions ask for.

    What is so already is left alone: two writes may ask for the same.

    Raises: Problem(version_conflict), naming the column, where the dataset changed meanwhile and an
    addition does not fit any more: check the records again, against it as it is now.
    """
    columns = dict(dataset.by_name)
    properties = dict(dataset.schema.get("properties", {}))
    ordinal = dataset.next_ordinal
    for new in (*additions.columns, *additions.typed):
        old = columns.get(new.name)
        if old is None:
            columns[new.name] = Column(new.name, new.type, ordinal, new.wide)
            properties[new.name] = _new_property(new.type, dataset.schema)
            ordinal += 1
        elif old.type is ColumnType.UNTYPED:
            columns[new.name] = replace(old, type=new.type, wide=new.wide)
            properties[new.name] = _typed_property(properties.get(new.name), new.type)
        else:
            columns[new.name] = _same(old, new)
    for name in additions.widened:
        columns[name] = _widen(columns.get(name), name)
        properties[name] = widened(properties.get(name), dataset.schema)
    for name in additions.wide:
        columns[name] = _mark_wide(columns.get(name), name)
    return replace(
        dataset,
        version=dataset.version + 1,
        columns=tuple(columns.values()),
        schema={**dataset.schema, "properties": properties},
        key=(*dataset.key, *(name for name in additions.key if name not in dataset.key)),
    )


def _same(old: Column, new: NewType) -> Column:
    if new.type is ColumnType.UNTYPED or new.type is old.type:
        return replace(old, wide=old.wide or new.wide)
    if old.type is ColumnType.NUMBER and new.type is ColumnType.INTEGER and not new.wide:
        return old
    raise _changed(new.name, f"it is of type {old.type} now, and {new.type} was asked for")


def _widen(column: Column | None, name: str) -> Column:
    if column is not None and column.type is ColumnType.NUMBER:
        return column
    if column is None or not may_widen(column):
        raise _changed(name, "it can't become a number any more")
    return replace(column, type=ColumnType.NUMBER)


def _mark_wide(column: Column | None, name: str) -> Column:
    if column is None or column.type is not ColumnType.INTEGER:
        raise _changed(name, "it is no integer column any more")
    return replace(column, wide=True)


def _changed(name: str, why: str) -> Problem:
    return Problem(
        VERSION_CONFLICT, f"Column {quoted(name)} was changed meanwhile: {why}. Check the records again."
    )


def _new_property(kind: ColumnType, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nullable property that keeps to what the schema says of properties it does not name."""
    others = schema.get("additionalProperties", True)
    if isinstance(others, bool):
        return property_schema(kind)
    return {**property_schema(kind), "allOf": [others]}


def _typed_property(declared: object, kind: ColumnType) -> dict[str, Any]:
    kept = declared if isinstance(declared, Mapping) else {}
    return {
        **{word: kept[word] for word in ("title", "description") if word in kept},
        **property_schema(kind),
    }
