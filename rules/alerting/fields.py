"""Reading what people declare in JSON, member by member, with a sentence for everything that is wrong."""

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any, Final

from rules.errors import Code, Problem

_COMPARED: Final = 64
"""Longer names are not compared: likeness takes time for the product of two lengths."""

_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")


def members(body: object, what: str, code: Code) -> dict[str, Any]:
    """Return `body` if it is a JSON object.

    Raises: Problem(code).
    """
    if not isinstance(body, dict):
        raise Problem(code, f"A {what} must be a JSON object, not {kind(body)}.")
    return body


def refuse_unknown(body: dict[str, Any], known: Collection[str], what: str, code: Code) -> None:
    """Refuse a member that is not `known`, by its name.

    Raises: Problem(code), with the nearest known name where there is one.
    """
    for name in body:
        if name not in known:
            raise Problem(code, f"A {what} has no field {_brief(name)}{or_nearest(name, known)}")


def text(body: dict[str, Any], name: str, code: Code, *, most: int, fallback: str | None = None) -> str:
    """Return the text `name`, at most `most` characters long; `fallback` where it is absent or null.

    Raises: Problem(code) where it is another kind of value, too long, empty without a fallback, or not
    there without one.
    """
    value = body.get(name)
    if value is None and fallback is not None:
        return fallback
    if value is None:
        raise Problem(code, f"The field '{name}' is missing.")
    return checked_text(value, f"The field '{name}'", code, most=most, empty=fallback is not None)


def checked_text(value: object, subject: str, code: Code, *, most: int, empty: bool = False) -> str:
    """Return `value` if it is a text that can be kept and is at most `most` characters long.

    Raises: Problem(code), in a sentence that begins with `subject`.
    """
    if not isinstance(value, str):
        raise Problem(code, f"{subject} must be a text, not {kind(value)}.")
    if not value and not empty:
        raise Problem(code, f"{subject} is empty.")
    if len(value) > most:
        raise Problem(code, f"{subject} has {len(value)} characters; {most} are allowed.")
    if _UNKEEPABLE.search(value):
        raise Problem(code, f"{subject} holds U+0000 or a lone surrogate, which can't be kept.")
    return value


def texts(
    body: dict[str, Any], name: str, code: Code, *, most: int, longest: int = 256
) -> tuple[str, ...] | None:
    """Return the list of different texts `name`, at most `most` of them; None where it is absent or null.

    Raises: Problem(code).
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise Problem(code, f"The field '{name}' must be a list of texts, not {kind(value)}.")
    if len(value) > most:
        raise Problem(code, f"The field '{name}' lists {len(value)} texts; {most} are allowed.")
    read = [
        checked_text(one, f"Number {place} of the field '{name}'", code, most=longest)
        for place, one in enumerate(value, 1)
    ]
    for place, one in enumerate(read):
        if one in read[:place]:
            raise Problem(code, f"The field '{name}' lists {_brief(one)} twice.")
    return tuple(read)


def kind(value: object) -> str:
    """Return what a JSON value is, with its article, for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def or_nearest(name: str, known: Iterable[str]) -> str:
    """Return how a sentence about an unknown name ends: asking for the nearest known one, or a full stop."""
    if len(name) > _COMPARED:
        return "."
    lower = {one.lower(): one for one in known if len(one) <= _COMPARED}
    near = get_close_matches(name.lower(), lower, n=1)
    return f"; did you mean '{lower[near[0]]}'?" if near else "."


def _brief(name: str) -> str:
    return f"'{name}'" if len(name) <= 60 else f"'{name[:60]}…'"
