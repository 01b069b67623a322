"""A question in SQL that an analyst asks of one workspace, and what its answer may cost."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.errors import BAD_PARAMETER, BAD_QUERY, NOT_A_SELECT, Problem

Scalar = str | int | float | bool | None

QUERY_BYTES: Final = 64 * 1024
PARAMETERS: Final = 100
LONGEST_TEXT: Final = 1024 * 1024
"""Characters that the text of a parameter may have: those of the longest one that a record can hold."""

_INT64: Final = 2**63
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_FIRST_WORD: Final = re.compile(r"(?>\s+|--[^\n]*|/\*(?>.*?\*/))*+([A-Za-z]+)", re.ASCII | re.DOTALL)
_ASKING: Final = frozenset({"SELECT", "WITH", "VALUES"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one answer may cost: its time, its rows, and the bytes that they fill as JSON."""

    seconds: float = 10.0
    rows: int = 10_000
    bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """One SELECT over the datasets of a workspace; in it `:name` stands for a parameter's value."""

    workspace: str
    query: str
    parameters: Mapping[str, Scalar]


def question(workspace: str, query: object, parameters: object) -> Question:
    """Return what a caller asks, as far as it can be told without a database that it may be asked.

    What the first word says is only the sooner answer: that nothing is changed is the database's work.
    Raises: Problem(bad_query, not_a_select, bad_parameter).
    """
    if not isinstance(query, str) or not query.strip():
        raise Problem(BAD_QUERY, "query must be a text: one SELECT.")
    if len(query.encode()) > QUERY_BYTES:
        raise Problem(BAD_QUERY, f"The query has more than the {QUERY_BYTES} bytes that one may have.")
    if "\0" in query:
        raise Problem(BAD_QUERY, f"The query holds U+0000 at character {query.index(chr(0))}.")
    word = _FIRST_WORD.match(query)
    if word is None or word[1].upper() not in _ASKING:
        raise Problem(NOT_A_SELECT, f"The query must begin with {', '.join(sorted(_ASKING))}.")
    return Question(workspace, query, _parameters(parameters))


def unused(names: list[str]) -> Problem:
    """Return the refusal of parameters that a query does not ask for."""
    return Problem(BAD_PARAMETER, f"The query has no {_listed(names)}; leave out what it does not ask for.")


def lacking(names: list[str]) -> Problem:
    """Return the refusal of a query whose parameters have no value."""
    return Problem(BAD_PARAMETER, f"parameters has no value for {_listed(names)}.")


def _listed(names: list[str]) -> str:
    return ", ".join(f":{name[:64]}" for name in sorted(names)[:10])


def _parameters(given: object) -> Mapping[str, Scalar]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Problem(BAD_PARAMETER, 'parameters must be an object: {"name": value} for each :name.')
    if len(given) > PARAMETERS:
        raise Problem(BAD_PARAMETER, f"A query takes {PARAMETERS} parameters at the most.")
    for name, value in given.items():
        wrong = _wrong(name, value)
        if wrong is not None:
            raise Problem(BAD_PARAMETER, f"The parameter {name[:64]!r} {wrong}.")
    return given


def _wrong(name: str, value: Any) -> str | None:
    if _NAME.fullmatch(name) is None:
        return "has a name that is not letters, digits and _, 64 at the most, beginning with no digit"
    match value:
        case None | bool():
            return None
        case int():
            return None if -_INT64 <= value < _INT64 else "is outside -2^63 … 2^63-1; send it as a text"
        case float():
            return None if math.isfinite(value) else "is no finite number"
        case str():
            if len(value) > LONGEST_TEXT:
                return f"has more than {LONGEST_TEXT} characters"
            return "holds U+0000" if "\0" in value else None
    return "must be a text, a number, true, false or null"
