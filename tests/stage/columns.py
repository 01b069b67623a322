"""Columns of every type, as JSON Schema says them."""

from typing import Any

EVERY_TYPE: dict[str, dict[str, Any]] = {
    "s": {"type": ["string", "null"]},
    "i": {"type": ["integer", "null"]},
    "n": {"type": ["number", "null"]},
    "b": {"type": ["boolean", "null"]},
    "day": {"type": ["string", "null"], "format": "date"},
    "at": {"type": ["string", "null"], "format": "date-time"},
    "o": {"type": ["object", "null"]},
    "l": {"type": ["array", "null"]},
    "any": {},
}
