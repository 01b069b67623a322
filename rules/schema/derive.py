"""The schemas that are compiled for a dataset: one that is quick to say yes, one that is exact.

The quick one takes a list of records and says yes only to what is accepted without a change of the
catalogue. It may say no to what is fine after all (a date of the year 1600, a client's `_id`, a new
column): those records are then looked at one by one, by the column types and by the exact schema.
"""

from collections.abc import Mapping
from typing import Any, Final

from rules.schema.columns import json_type, shape_of
from rules.schema.dataset import MAX_EXACT, Column, ColumnType, Dataset
from rules.schema.values import MAX_INTEGER, MAX_UNSIGNED, MIN_INTEGER
from rules.schema.widen import may_widen, widened

ANNOTATIONS: Final = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}
)
_ROOT_WORDS: Final = ANNOTATIONS | {
    "$schema",
    "$id",
    "$defs",
    "type",
    "properties",
    "required",
    "additionalProperties",
}
_DECLARED: Final = "urn:sluice:declared"

# The days of the years 1700 to 2199, leap years among them: all that `parse_date` and `parse_moment`
# take is more than this, and nothing of this is refused by them.
_DAY: Final = (
    r"(?:(?:1[789]|2[01])[0-9][0-9]-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:(?:1[789]|2[01])(?:0[48]|[2468][048]|[13579][26])|2000)-02-29)"
)
_TIME: Final = (
    r"[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def quick_schema(dataset: Dataset, nesting: int) -> dict[str, Any]:
    """Return the schema of a list of records that need nothing of the catalogue.

    `nesting` is how deep objects and lists may stand in each other, the record itself counted.
    """
    properties = {column.name: _quick_property(column, dataset) for column in dataset.columns}
    record: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "required": list(dataset.required_key),
    }
    definitions = _levels(nesting - 1) if any(c.type.nested for c in dataset.columns) else {}
    if not dataset.declared:
        return {"type": "array", "items": record, "$defs": definitions}
    if _says_only_types(dataset.schema):
        record["required"] = sorted({*dataset.required_key, *dataset.schema.get("required", ())})
        return {"type": "array", "items": record, "$defs": definitions}
    definitions["declared"] = {"$id": _DECLARED, **document_of(dataset.schema)}
    return {"type": "array", "items": {"allOf": [record, {"$ref": _DECLARED}]}, "$defs": definitions}


def exact_schema(dataset: Dataset) -> dict[str, Any]:
    """Return the declared schema of one record, opened by what may yet change in `evolve` mode.

    Columns without a type take any value there, integer columns that may widen any number; whether the
    value fits is then the column's word.
    """
    schema = document_of(dataset.schema)
    if dataset.mode == "evolve":
        properties = dict(schema.get("properties", {}))
        for column in dataset.columns:
            if column.type is ColumnType.UNTYPED:
                properties[column.name] = True
            elif may_widen(column):
                properties[column.name] = widened(properties.get(column.name), dataset.schema)
        schema["properties"] = properties
    return schema


def document_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a declared schema without the names it gives itself and its dialect, which are settled."""
    return {word: part for word, part in schema.items() if word not in ("$id", "$schema")}


def follows_references(schema: object) -> bool:
    """Return whether a schema refers to parts of itself, and so may be recursive."""
    if isinstance(schema, Mapping):
        return any(
            (word in ("$ref", "$dynamicRef") and isinstance(part, str)) or follows_references(part)
            for word, part in schema.items()
        )
    return isinstance(schema, list) and any(map(follows_references, schema))


def _quick_property(column: Column, dataset: Dataset) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    declared = dataset.schema.get("properties", {}).get(column.name, {})
    nullable = column.name not in dataset.required_key and (
        not dataset.declared or shape_of(declared, dataset.schema).nullable
    )
    word = json_type(column.type)
    if word is not None:
        ours["type"] = [word, "null"] if nullable and word != "null" else word
    if column.type.nested:
        ours["$ref"] = "#/$defs/top"
    elif column.type is ColumnType.INTEGER:
        ours["minimum"], ours["maximum"] = (
            (MIN_INTEGER, MAX_INTEGER) if column.wide else (-MAX_EXACT, MAX_EXACT)
        )
    elif column.type is ColumnType.UNSIGNED:
        ours["minimum"], ours["maximum"] = 0, MAX_UNSIGNED
    elif column.type is ColumnType.DATE:
        ours["pattern"] = f"^{_DAY}$"
    elif column.type is ColumnType.DATETIME:
        ours["pattern"] = f"^{_DAY}{_TIME}$"
    return ours


def _levels(containers: int) -> dict[str, Any]:
    """Return definitions of which `top` takes any value with at most so many containers in each other."""
    levels: dict[str, Any] = {"level0": {"type": ["string", "number", "boolean", "null"]}}
    for level in range(1, containers + 1):
        inner = {"$ref": f"#/$defs/level{level - 1}"}
        levels[f"level{level}"] = {"additionalProperties": inner, "items": inner}
    return {**levels, "top": {"$ref": f"#/$defs/level{containers}"}}


def _says_only_types(schema: Mapping[str, Any]) -> bool:
    """Return whether a declared schema says no more than the columns' types and which are required."""
    if not schema.keys() <= _ROOT_WORDS or not isinstance(schema.get("additionalProperties", True), bool):
        return False
    properties = schema.get("properties", {})
    if not set(schema.get("required", ())) <= set(properties):
        return False
    for declared in properties.values():
        if declared is True:
            continue
        if not isinstance(declared, Mapping) or not declared.keys() <= ANNOTATIONS | {"type", "format"}:
            return False
        shape = shape_of(declared, schema)
        if "type" in declared and shape.type is ColumnType.ANY:
            return False
    return True
