"""How a declared integer property becomes one of numbers."""

from collections.abc import Mapping
from typing import Any

from rules.schema.columns import resolve
from rules.schema.dataset import Column, ColumnType


def may_widen(column: Column) -> bool:
    """Return whether an integer column can become one of numbers and lose no digit stored in it."""
    return column.type is ColumnType.INTEGER and not column.wide


def widened(schema: object, root: object, hops: int = 16) -> Any:
    """Return a property's JSON Schema with `number` in the place of `integer`, all else as it was.

    What the type is written behind (`anyOf`, `oneOf`, a `$ref` within the document `root`) is written
    out, because others may refer to the same definition.
    """
    if not isinstance(schema, Mapping) or not hops:
        return schema
    changed = dict(schema)
    if "type" in changed:
        words = changed["type"]
        if isinstance(words, list):
            changed["type"] = ["number" if word == "integer" else word for word in words]
        elif words == "integer":
            changed["type"] = "number"
        return changed
    for word in ("anyOf", "oneOf"):
        if isinstance(changed.get(word), list):
            changed[word] = [widened(member, root, hops - 1) for member in changed[word]]
            return changed
    if isinstance(changed.get("$ref"), str):
        reference = changed.pop("$ref")
        target = widened(resolve(reference, root), root, hops - 1)
        return {"anyOf": [target], **changed} if changed else target
    return changed
