"""What callers ask of the store: bounded in time, and few at once where each may take long."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from sqlalchemy import Connection

from rules.errors import OVERLOADED, QUERY_TOO_SLOW, SCAN_LIMIT, Problem
from storage.bounded import Bound, TooMuch, TooSlow, bounded
from storage.store import Store
from streams.awaiting import on_loop

T = TypeVar("T")

SECONDS: Final = 10.0
"""How long a query may take, and wait for its turn."""

AT_ONCE: Final = 2
"""Searches that run at once: half of the store's readers, for those who apply writes read there too."""


class Queries:
    """Runs queries of callers on the store. Lives on one loop."""

    def __init__(self, store: Store, seconds: float = SECONDS, at_once: int = AT_ONCE) -> None:
        self._store = store
        self._seconds = seconds
        self._turns = asyncio.Semaphore(at_once)

    async def look(self, body: Callable[[Connection, Bound], T]) -> T:
        """Run a query that an index answers.

        Raises: Problem(scan_limit, query_too_slow).
        """
        try:
            return await on_loop(self._store.read(self._bounded(body)))
        except (TooMuch, TooSlow) as error:
            raise _worded(error) from error

    async def search(self, body: Callable[[Connection, Bound], T]) -> T:
        """Run a query that may have to look at many rows, once it is its turn.

        Raises: Problem(overloaded, scan_limit, query_too_slow).
        """
        try:
            async with asyncio.timeout(self._seconds):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Problem(
                OVERLOADED, f"Other searches were under way for {self._seconds:g} s; try again."
            ) from error
        loop = asyncio.get_running_loop()
        running = self._store.read(self._bounded(body))
        # the turn lasts as long as the query, also where its caller has gone
        running.add_done_callback(lambda _: _on(loop, self._turns.release))
        try:
            return await on_loop(running)
        except (TooMuch, TooSlow) as error:
            raise _worded(error) from error

    def _bounded(self, body: Callable[[Connection, Bound], T]) -> Callable[[Connection], T]:
        def run(c: Connection) -> T:
            with bounded(c, self._seconds) as bound:
                return body(c, bound)

        return run


def _on(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: there are no turns any more
        loop.call_soon_threadsafe(call)


def _worded(error: TooMuch | TooSlow) -> Problem:
    if isinstance(error, TooMuch):
        return Problem(
            SCAN_LIMIT,
            f"Of this condition the database can't decide all, and more than {error.rows} records would have "
            "to be looked at one by one; narrow it by a key, by a range, or by a comparison of a column with "
            "a value.",
        )
    return Problem(
        QUERY_TOO_SLOW,
        f"The query took longer than {error.seconds:g} s; narrow it by a key, a range or a smaller offset.",
    )
