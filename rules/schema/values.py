"""What no JSON value may be, wherever it stands in a record, and how values are shown in sentences."""

import json
import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from rules.errors import BAD_TEXT, NUMBER_OUT_OF_RANGE, TOO_DEEP, Code

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1
MAX_UNSIGNED: Final = 2**64 - 1

_SHOWN: Final = 60


class Fault(NamedTuple):
    """What is wrong with a value: where in it (steps from outside to inside), which code, a sentence."""

    steps: tuple[str | int, ...]
    code: Code
    message: str


def fault_in(value: Any, levels: int) -> Fault | None:
    """Return what makes a JSON value unfit for any column, or None.

    That is: a text or a property name with U+0000 or a lone surrogate, an integer outside
    -2^63 … 2^64-1, a number that is not finite, objects and lists nested deeper than `levels`. The
    recursion is bounded by `levels`.
    """
    kind = type(value)
    if kind is str:
        return Fault((), BAD_TEXT, _bad_text("The text", value)) if unfit_text(value) else None
    if kind is int:
        if MIN_INTEGER <= value <= MAX_UNSIGNED:
            return None
        return Fault((), NUMBER_OUT_OF_RANGE, f"{shown(value)} is outside -2^63 to 2^64-1.")
    if kind is float:
        if math.isfinite(value):
            return None
        return Fault((), NUMBER_OUT_OF_RANGE, f"{value} is not a number that JSON has.")
    if kind is dict or kind is list:
        return _fault_within(value, levels)
    return None


def _fault_within(value: dict[str, Any] | list[Any], levels: int) -> Fault | None:
    if not levels:
        return Fault((), TOO_DEEP, "The value is nested deeper than the limit; make it flatter.")
    if isinstance(value, list):
        members: Iterable[tuple[str | int, Any]] = enumerate(value)
    else:
        members = value.items()
        for name in value:
            if unfit_text(name):
                return Fault((), BAD_TEXT, _bad_text("The property name", name))
    for step, member in members:
        fault = fault_in(member, levels - 1)
        if fault is not None:
            return Fault((step, *fault.steps), fault.code, fault.message)
    return None


def too_deep(value: Any, levels: int) -> bool:
    """Return whether objects and lists are nested deeper than `levels` in `value`."""
    if not isinstance(value, (dict, list)):
        return False
    if not levels:
        return True
    members = value.values() if isinstance(value, dict) else value
    return any(too_deep(member, levels - 1) for member in members)


def unfit_text(text: str) -> bool:
    """Return whether a text holds U+0000 or a lone surrogate."""
    if "\x00" in text:
        return True
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def shown(value: Any) -> str:
    """Return a value as a sentence shows it: JSON, at most about 60 characters, containers by size."""
    if isinstance(value, str):
        return "the text " + quoted(value)
    if isinstance(value, dict):
        return f"an object with {len(value)} propert{'y' if len(value) == 1 else 'ies'}"
    if isinstance(value, list):
        return f"a list with {len(value)} member{'' if len(value) == 1 else 's'}"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int) and value.bit_length() > 190:
        return f"an integer of {value.bit_length()} bits"
    return repr(value)[:_SHOWN]


def quoted(text: str) -> str:
    """Return a text in quotation marks, escaped where it does not print, at most 60 characters of it."""
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def pointer(steps: Iterable[str | int]) -> str:
    """Return the JSON Pointer (RFC 6901) of the steps from a record to a place in it."""
    return "".join("/" + str(step)[:256].replace("~", "~0").replace("/", "~1") for step in steps)


def _bad_text(what: str, text: str) -> str:
    at = next(i for i, char in enumerate(text) if char == "\x00" or "\ud800" <= char <= "\udfff")
    if "\udc80" <= text[at] <= "\udcff":  # a byte of a text that came in bytes (PEP 383)
        return f"{what} is not valid UTF-8 at character {at} (byte 0x{ord(text[at]) - 0xDC00:02X})."
    name = "U+0000" if text[at] == "\x00" else f"the lone surrogate U+{ord(text[at]):04X}"
    return f"{what} holds {name} at character {at}, which can't be stored; leave it out."
