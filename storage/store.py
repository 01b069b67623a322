"""The face of the store: what every part that remembers something may rely on.

A body is a plain function of one SQLAlchemy connection. Nothing in it may wait for anything but the
database; it is run by a thread of the store's own, and may be run again from the start, also after Later.
Bodies of one store may run at once, as those of several processes do: what must not happen twice is decided
by the database (a row that is locked, a conflict), not by what was read before.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Store(Protocol):
    """A database with our tables in it.

    Futures are concurrent ones: `asyncio.wrap_future` awaits them on a loop. Bodies may raise what they
    like and get it back through their future, their own changes undone. Besides that a future fails with
    `rules.errors.Later` (try again) or `Never` (the database refuses this value for good).
    """

    def write(self, body: Callable[[Connection], T]) -> Future[T]:
        """Run `body` in a transaction of its own; the future resolves once it is committed and durable."""
        ...

    def read(self, body: Callable[[Connection], T]) -> Future[T]:
        """Run `body` on a snapshot, without the right to change anything."""
        ...

    def close(self) -> None:
        """Finish what was handed over and let go of the files. Safe to call twice."""
        ...
