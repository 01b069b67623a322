"""Whose question in SQL is answered when: few at once, one of each workspace."""

import asyncio
from collections import Counter
from typing import Final

from rules.errors import OVERLOADED, Problem
from rules.names import fold
from rules.question import Question
from storage.analysts import AT_ONCE, Analysts
from streams.awaiting import on_loop

WAIT_SECONDS: Final = 10.0
WAITING: Final = 20
"""Questions of one workspace that may wait for their turn."""


class Inquiries:
    """Gives analysts' questions their turns: no workspace has two of them. Lives on one loop."""

    def __init__(self, analysts: Analysts, wait: float = WAIT_SECONDS) -> None:
        self._analysts = analysts
        self._wait = wait
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._own: dict[str, asyncio.Lock] = {}
        self._asking: Counter[str] = Counter()

    async def ask(self, question: Question) -> bytes:
        """Return the answer as JSON, see `storage.analysts`.

        Raises: Problem(overloaded) where its turn did not come in time, and what `Analysts.ask` fails with.
        """
        workspace = fold(question.workspace)
        if self._asking[workspace] > WAITING:
            raise Problem(
                OVERLOADED, f"{WAITING} queries of the workspace wait already; ask one after the other."
            )
        self._asking[workspace] += 1
        own = self._own.setdefault(workspace, asyncio.Lock())
        try:
            await self._taken(own)
        except BaseException:
            self._left(workspace)
            raise
        # the turn lasts as long as the query, also where its caller has gone
        return await asyncio.shield(asyncio.ensure_future(self._answered(own, question)))

    async def _taken(self, own: asyncio.Lock) -> None:
        """Wait for both turns, of the workspace and of the process. Raises: Problem(overloaded)."""
        try:
            async with asyncio.timeout(self._wait):
                await own.acquire()
                try:
                    await self._turns.acquire()
                except BaseException:
                    own.release()
                    raise
        except TimeoutError as error:
            raise Problem(
                OVERLOADED, f"Other queries were under way for {self._wait:g} s; try again."
            ) from error

    async def _answered(self, own: asyncio.Lock, question: Question) -> bytes:
        try:
            return await on_loop(self._analysts.ask(question))
        finally:
            self._turns.release()
            own.release()
            self._left(fold(question.workspace))

    def _left(self, workspace: str) -> None:
        self._asking[workspace] -= 1
        if not self._asking[workspace]:
            del self._asking[workspace], self._own[workspace]
