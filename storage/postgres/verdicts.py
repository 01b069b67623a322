"""PostgreSQL's errors as verdicts: Later, Never, or neither. By SQLSTATE, never by the words.

Classes and codes: PostgreSQL's documentation, appendix "Error Codes"; which of them pass by themselves is
design.md, "Later and never".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from rules.errors import (
    BAD_TEXT,
    NUMBER_OUT_OF_RANGE,
    RECORD_TOO_LARGE,
    SCHEMA_VIOLATION,
    WRONG_TYPE,
    Code,
    Later,
    Never,
)

_LOCKED: Final = "55P03"
_TAKEN: Final = "23505"
_UNSUPPORTED: Final = "0A000"
"""Among others: a prepared statement whose result has changed its type."""

_GONE: Final = ("42703", "42P01")
"""A column or a table that is not there: a dataset was brought to another form between two statements."""

_NO_STATEMENT: Final = "26000"
_IDLE_TOO_LONG: Final = "25P03"
_READ_ONLY: Final = "25006"
"""Its operator has made the database read-only, or it is a standby that is not promoted yet."""

_LATER_CLASSES: Final = frozenset({"08", "40", "53", "57", "58"})
_NEVER: Final[dict[str, Code]] = {
    "22001": RECORD_TOO_LARGE,
    "22003": NUMBER_OUT_OF_RANGE,
    "22021": BAD_TEXT,
    "22P05": BAD_TEXT,
    "23502": SCHEMA_VIOLATION,
    "23514": SCHEMA_VIOLATION,
    "42804": WRONG_TYPE,
    # a row that does not fit its page, a key that does not fit its index
    "54000": RECORD_TOO_LARGE,
}


class Contended(Later):
    """Others were in the way, and what was done is undone: the body may run again at once."""


class Stale(Contended):
    """The connection is of no use any more, and nothing was done on it: another one will do."""


@contextmanager
def verdicts() -> Iterator[None]:
    """Turn the driver's errors into Later or Never; leave everything else as it is."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        verdict = _verdict(error)
        if verdict is None:
            raise
        raise verdict from error


def lasting(error: BaseException | None) -> DBAPIError | psycopg.Error | None:
    """Return the error if, met again and again, it is no race but a fault: nothing that passes by itself."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, psycopg.Error) and original.sqlstate in (_TAKEN, _UNSUPPORTED, *_GONE):
        return error if isinstance(error, DBAPIError) else original
    return None


def _verdict(error: DBAPIError | psycopg.Error) -> Later | Never | None:
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, psycopg.Error):
        return None
    state = original.sqlstate
    said = _said(original)
    if state is None:
        return _without_state(original, said)
    if state in (_LOCKED, _TAKEN, *_GONE) or state[:2] == "40":
        return Contended(said)
    if state in (_NO_STATEMENT, _UNSUPPORTED):
        return Stale(said)
    if state[:2] in _LATER_CLASSES or state in (_IDLE_TOO_LONG, _READ_ONLY):
        return Later(said)
    if state[:2] == "22" or state in _NEVER:
        return Never(_NEVER.get(state, WRONG_TYPE), said)
    return None


def _without_state(original: psycopg.Error, said: str) -> Later | Never | None:
    """Judge what the client library says by itself: no connection, or a value no text can carry."""
    if isinstance(original, psycopg.DataError):
        return Never(BAD_TEXT, said)
    if isinstance(original, psycopg.OperationalError | psycopg.InterfaceError):
        return Later(said)
    return None


def _said(original: psycopg.Error) -> str:
    """Return the first line of what was said: further ones may repeat a caller's values."""
    return (original.diag.message_primary or str(original) or type(original).__name__).splitlines()[0]
