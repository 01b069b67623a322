"""What a query may cost: rows looked at one by one, and seconds; by the database's own means and ours."""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from storage.sql import is_postgres

T = TypeVar("T")

ROWS: Final = 200_000
"""Rows that one query may have looked at one by one: about two seconds of it."""

_STEPS: Final = 20_000
_LOOK: Final = 1_000
_CANCELLED: Final = "57014"


class TooMuch(Exception):
    """The query would have to look at more rows than it may."""

    def __init__(self, rows: int) -> None:
        super().__init__(f"more than {rows} rows would have to be looked at")
        self.rows = rows


class TooSlow(Exception):
    """The query took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the query took longer than {seconds:g} s")
        self.seconds = seconds


class Bound:
    """What is left to one query of its rows and its time. Made by `bounded`."""

    def __init__(self, seconds: float, rows: int = ROWS) -> None:
        self._rows = rows
        self._left = rows
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() >= self._deadline

    def counted(self, rows: Iterable[T]) -> Iterator[T]:
        """Yield the rows, each of which costs one. Raises: TooMuch, TooSlow."""
        for row in rows:
            if not self._left:
                raise TooMuch(self._rows)
            self._left -= 1
            if not self._left % _LOOK and self.over:
                raise TooSlow(self._seconds)
            yield row


@contextmanager
def bounded(connection: Connection, seconds: float, rows: int = ROWS) -> Iterator[Bound]:
    """Bound what is done on a connection meanwhile, in a body of `Store.read`.

    Raises: TooMuch, TooSlow.
    """
    bound = Bound(seconds, rows)
    if is_postgres(connection):
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, round(seconds * 1000))}")
        try:
            yield bound
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _CANCELLED:
                raise TooSlow(seconds) from error
            raise
        return
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.set_progress_handler(lambda: bound.over, _STEPS)
    try:
        yield bound
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise TooSlow(seconds) from error
        raise
    finally:
        raw.set_progress_handler(None, 0)
