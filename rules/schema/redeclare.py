"""How a caller changes a dataset, and what can't change while the stored rows are left as they are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, cast

from rules.errors import BAD_PARAMETER, BAD_SCHEMA, SCHEMA_CHANGE_REFUSED, Problem
from rules.limits import Limits
from rules.schema.columns import shape_of
from rules.schema.dataset import Column, ColumnType, Dataset
from rules.schema.declare import declaration, read_mode, read_retention, read_title
from rules.schema.mapping import Identity, read_mapping, read_partition
from rules.schema.values import quoted, shown
from rules.schema.vet import ensure_checkable, vet_schema
from rules.schema.widen import may_widen

Existing = Literal["leave", "update", "delete", "reingest"]
_EXISTING: Final = ("leave", "update", "delete", "reingest")
_TOUCH: Final = "Use existing=update, delete or reingest, which touch the stored records."


def read_existing(patch: object) -> Existing:
    """Return what a PATCH body asks to do with the stored records. Raises: Problem(bad_parameter)."""
    given = declaration(patch).get("existing", "leave")
    if given not in _EXISTING:
        raise Problem(BAD_PARAMETER, f"existing must be one of {', '.join(_EXISTING)}; {shown(given)} came.")
    return cast(Existing, given)


def redeclare(dataset: Dataset, patch: object, limits: Limits | None = None) -> Dataset:
    """Return the dataset's next version, as a PATCH body changes it (the contract, section 4).

    Where stored rows are left as they are, a schema may add properties that may be absent, allow null,
    and make an integer column that is not `wide` one of numbers; what it says of values beyond their type
    holds for what is written from then on. Else columns may also go or change their type, and the key its
    columns: a column whose type changes gets a new ordinal, none is used twice.

    Raises: Problem: schema_change_refused, and all that `declare` raises.
    """
    limits = limits or Limits()
    given = declaration(patch)
    leave = read_existing(patch) == "leave"
    mode = read_mode(given.get("mode")) or dataset.mode
    schema, columns = dataset.schema, dataset.columns
    if given.get("schema") is not None:
        schema = vet_schema(given["schema"], mode, limits)
        columns = _columns(dataset, schema)
        if leave:
            _refuse_first(_in_the_way(dataset, schema, columns))
    if mode == "strict" and not columns:
        raise Problem(BAD_SCHEMA, "A strict dataset needs a schema; give one with properties.")
    identity = _identity(dataset, given, columns, limits)
    if leave and identity != Identity(dataset.key, dataset.subkey, dataset.date):
        _refuse_first(iter(["the key of the stored records would change"]))
    if given.get("partitionBy") not in (None, list(dataset.partition_by)):
        raise Problem(SCHEMA_CHANGE_REFUSED, "partitionBy is fixed once the dataset is made.")
    read_partition(list(dataset.partition_by), identity, schema)
    changed = replace(
        dataset,
        version=dataset.version + 1,
        schema=schema,
        columns=columns,
        mode=mode,
        key=identity.key,
        subkey=identity.subkey,
        date=identity.date,
        title=read_title(given["title"]) if "title" in given else dataset.title,
        retention=read_retention(given["retention"]) if "retention" in given else dataset.retention,
        declared=dataset.declared or given.get("schema") is not None or mode == "strict",
        spent=dataset.next_ordinal - 1,
        carried=dataset.carried if leave else dataset.version + 1,
    )
    return ensure_checkable(changed, limits)


def _identity(
    dataset: Dataset, given: Mapping[str, Any], columns: tuple[Column, ...], limits: Limits
) -> Identity:
    """Return the identity that is asked for, or the one there is, if the columns still bear it."""
    asked = given.get("columnMapping")
    if "columnMapping" not in given:
        asked = {"key": list(dataset.key), "subkey": dataset.subkey, "date": dataset.date}
    return read_mapping(asked, {column.name: column for column in columns}, limits)


def _columns(dataset: Dataset, schema: Mapping[str, Any]) -> tuple[Column, ...]:
    columns: list[Column] = []
    ordinal = dataset.next_ordinal
    for name, declared in schema["properties"].items():
        kind = shape_of(declared, schema).type
        old = dataset.by_name.get(name)
        if old is not None and (old.type in (kind, ColumnType.UNTYPED) or _widens(old, kind)):
            columns.append(replace(old, type=kind))
        else:
            columns.append(Column(name, kind, ordinal))
            ordinal += 1
    return tuple(columns)


def _widens(old: Column, kind: ColumnType) -> bool:
    return may_widen(old) and kind is ColumnType.NUMBER


def _in_the_way(dataset: Dataset, schema: Mapping[str, Any], columns: tuple[Column, ...]) -> Iterator[str]:
    """Yield what the new schema says that rows stored under the old one may not keep to."""
    after = {column.name: column for column in columns}
    required = set(schema.get("required", ())) - set(dataset.schema.get("required", ()))
    for old in dataset.columns:
        name = quoted(old.name)
        new = after.get(old.name)
        if new is None:
            yield f"column {name} would be gone"
        elif new.ordinal != old.ordinal:
            why = " (it holds integers beyond ±2^53)" if old.wide and new.type is ColumnType.NUMBER else ""
            yield f"column {name} would go from {old.type} to {new.type}{why}"
        elif old.name not in dataset.required_key:
            if old.name in required:
                yield f"column {name} would be required"
            elif _nullable(old.name, dataset.schema) and not _nullable(old.name, schema):
                yield f"column {name} would not take null any more"
    for name in after:
        if name not in dataset.by_name and name in required:
            yield f"the new column {quoted(name)} would be required"


def _nullable(name: str, schema: Mapping[str, Any]) -> bool:
    return shape_of(schema.get("properties", {}).get(name), schema).nullable


def _refuse_first(reasons: Iterator[str]) -> None:
    reason = next(reasons, None)
    if reason is not None:
        raise Problem(SCHEMA_CHANGE_REFUSED, f"With existing=leave this can't be done: {reason}. {_TOUCH}")
