"""A property's JSON Schema and its column's type, both ways."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from rules.schema.dataset import ColumnType

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_MAX_HOPS: Final = 16

_BY_WORD: Final = {
    "string": ColumnType.STRING,
    "integer": ColumnType.INTEGER,
    "number": ColumnType.NUMBER,
    "boolean": ColumnType.BOOLEAN,
    "object": ColumnType.OBJECT,
    "array": ColumnType.ARRAY,
    "null": ColumnType.UNTYPED,
}
_BY_FORMAT: Final = {
    (ColumnType.STRING, "date"): ColumnType.DATE,
    (ColumnType.STRING, "date-time"): ColumnType.DATETIME,
    (ColumnType.INTEGER, "uint64"): ColumnType.UNSIGNED,
}
_FORMATS: Final = {kind: form for (_, form), kind in _BY_FORMAT.items()}


class Shape(NamedTuple):
    """What a property's schema says of its column: the type, and whether null is a value of it."""

    type: ColumnType
    nullable: bool


_ANY: Final = Shape(ColumnType.ANY, True)


def shape_of(schema: object, root: object) -> Shape:
    """Return the shape of a property with this JSON Schema; `root` is the document for `$ref`.

    One type, alone or beside null, gives the column of that type, be it written as a list of types, as
    `anyOf` or `oneOf`, or behind a `$ref` within the document. Only null is UNTYPED, all else ANY.
    """
    return _shape(schema, root, _MAX_HOPS)


def json_type(kind: ColumnType) -> str | None:
    """Return the JSON Schema word for a column's values, None where they may be anything."""
    if kind in (ColumnType.DATE, ColumnType.DATETIME):
        return "string"
    if kind is ColumnType.UNTYPED:
        return "null"
    if kind is ColumnType.UNSIGNED:
        return "integer"
    return None if kind is ColumnType.ANY else kind.value


def property_schema(kind: ColumnType) -> dict[str, Any]:
    """Return the JSON Schema of a nullable property of this type, of which `shape_of` is the inverse."""
    word = json_type(kind)
    if word is None:
        return {}
    if kind is ColumnType.UNTYPED:
        return {"type": "null"}
    if kind in _FORMATS:
        return {"type": [word, "null"], "format": _FORMATS[kind]}
    return {"type": [word, "null"]}


def schema_of(columns: Mapping[str, ColumnType]) -> dict[str, Any]:
    """Return the JSON Schema 2020-12 of records with these columns, every one of them nullable."""
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {name: property_schema(kind) for name, kind in columns.items()},
    }


def resolve(reference: str, root: object) -> object | None:
    """Return what a JSON Pointer fragment (`#`, `#/$defs/x`) names in `root`, or None."""
    if not reference.startswith("#"):
        return None
    found = root
    for step in unquote(reference[1:]).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found if reference == "#" or reference.startswith("#/") else None


def _shape(schema: object, root: object, hops: int) -> Shape:
    if not isinstance(schema, Mapping) or not hops:
        return _ANY
    if "type" in schema:
        return _typed(schema["type"], schema.get("format"))
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return _union(schema[word], root, hops - 1)
    if "$ref" in schema:
        return _shape(resolve(schema["$ref"], root), root, hops - 1)
    return _ANY


def _typed(words: object, form: object) -> Shape:
    given = words if isinstance(words, list) else [words]
    types = [word for word in given if word != "null"]
    if not types:
        return Shape(ColumnType.UNTYPED, True)
    if len(types) > 1 or types[0] not in _BY_WORD:
        return _ANY
    kind = _BY_WORD[types[0]]
    if isinstance(form, str):
        kind = _BY_FORMAT.get((kind, form), kind)
    return Shape(kind, len(types) < len(given))


def _union(members: object, root: object, hops: int) -> Shape:
    shapes = [_shape(member, root, hops) for member in members] if isinstance(members, list) else []
    kinds = [shape for shape in shapes if shape.type is not ColumnType.UNTYPED]
    if len(kinds) != 1:
        return _ANY
    return Shape(kinds[0].type, kinds[0].nullable or len(kinds) < len(shapes))
