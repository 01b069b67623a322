"""Receipts: word that writes are stored. They only wake; the truth is in the store.

Also the gate: judge takes an event only once its origin is below what persist has committed, so nobody is
alerted about a record that can't be read yet.

A receipt may be lost, the store is not. So while anybody waits the store is asked each 250 ms: once a
process, for everybody together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from rules.errors import Later
from storage.writes import Outcome

ASK_EVERY: Final = 0.25
ASKED: Final = 1_000
"""Writes that one question names at most: those that were not asked for the longest."""


class Told(NamedTuple):
    """What the store knows: outcomes of the writes asked for, and how far persist is in each partition."""

    outcomes: Sequence[Outcome]
    committed: Sequence[tuple[int, int]]


Ask = Callable[[Sequence[str]], Awaitable[Told]]
"""Asks the store for what is stored of some writes. May raise Later."""


class Receipts:
    """Who waits for which write, and how far persist has come. Lives on one loop."""

    def __init__(self, partitions: int, ask: Ask | None = None) -> None:
        """Without `ask` nobody makes up for receipts that are lost."""
        self._committed = [0] * partitions
        self._gates: list[Callable[[int], None]] = []
        self._tellers: list[Callable[[int, int], None]] = []
        self._waiting: dict[str, _Wanted] = {}
        self._held: set[_Held] = set()
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None
        self._word = asyncio.Event()

    def expect(self, write_id: str, parts: int) -> "asyncio.Future[list[Outcome]]":
        """Return a future of the outcomes of all parts of a write. Call before it is appended.

        Several may wait for one write (an Idempotency-Key sent twice at once), each with a future of its own.
        """
        wanted = self._waiting.setdefault(write_id, _Wanted(parts))
        self._begin_asking()
        return wanted.expect()

    def forget(self, write_id: str) -> None:
        """One who waited for this write waits no more."""
        wanted = self._waiting.get(write_id)
        if wanted is not None and wanted.leave():
            del self._waiting[write_id]

    def stored(self, partition: int, next_offset: int, outcomes: Iterable[Outcome]) -> None:
        """Say that persist has committed everything below `next_offset`, these outcomes with it."""
        self.passed(partition, next_offset)
        for tell in self._tellers:
            tell(partition, next_offset)
        if self._waiting:
            self._tell(outcomes)

    def heard(self, partition: int, next_offset: int) -> None:
        """Say how far another process has come: whoever waits here is asked for at once."""
        self.passed(partition, next_offset)
        self._word.set()

    def on_stored(self, tell: Callable[[int, int], None]) -> Callable[[], None]:
        """Have `tell(partition, next_offset)` called for what this process stores; returns how to end it."""
        self._tellers.append(tell)
        return lambda: self._tellers.remove(tell)

    def passed(self, partition: int, next_offset: int) -> None:
        """Say how far persist has come, as the store told it."""
        self._committed[partition] = max(self._committed[partition], next_offset)
        for held in [one for one in self._held if one.partition == partition]:
            if held.offset < self._committed[partition] and not held.future.done():
                held.future.set_result(None)
        for gate in self._gates:
            gate(partition)

    def committed(self, partition: int) -> int:
        """Return the offset below which everything in the partition is stored."""
        return self._committed[partition]

    async def reached(self, partition: int, offset: int) -> None:
        """Wait until what stands at `offset` of the partition is stored."""
        if self._committed[partition] > offset:
            return
        held = _Held(partition, offset, asyncio.get_running_loop().create_future())
        self._held.add(held)
        self._begin_asking()
        try:
            await held.future
        finally:
            self._held.discard(held)

    def on_passed(self, gate: Callable[[int], None]) -> Callable[[], None]:
        """Have `gate(partition)` called whenever persist has come further; returns how to end that."""
        self._gates.append(gate)
        return lambda: self._gates.remove(gate)

    @property
    def awaited(self) -> bool:
        """Whether anybody waits for a write to be stored."""
        return bool(self._waiting)

    def _tell(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            wanted = self._waiting.get(outcome.id)
            if wanted is not None and wanted.add(outcome):
                del self._waiting[outcome.id]

    def _begin_asking(self) -> None:
        if self._ask is not None and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask_on(self._ask), name="receipts")

    async def _ask_on(self, ask: Ask) -> None:
        """Ask while anybody waits: at another process's word for all, else for who waited the time before."""
        before: set[str] = set()
        while self._waiting or self._held:
            self._word.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_EVERY):
                    await self._word.wait()
                    before = set(self._waiting)
            overdue = [write_id for write_id in self._waiting if write_id in before][:ASKED]
            before = set(self._waiting)
            for write_id in overdue:  # to the end: those of a partition that stopped must not starve others
                self._waiting[write_id] = self._waiting.pop(write_id)
            if not overdue and not self._held:
                continue
            try:
                told = await ask(overdue)
            except Later:
                continue
            for partition, next_offset in told.committed:
                self.passed(partition, next_offset)
            self._tell(told.outcomes)


class _Held(NamedTuple):
    """Somebody who waits until an offset of a partition is stored."""

    partition: int
    offset: int
    future: "asyncio.Future[None]"


class _Wanted:
    __slots__ = ("_found", "_futures", "_holders", "_parts")

    def __init__(self, parts: int) -> None:
        self._parts = parts
        self._found: dict[int, Outcome] = {}
        self._futures: list[asyncio.Future[list[Outcome]]] = []
        self._holders = 0

    def expect(self) -> "asyncio.Future[list[Outcome]]":
        future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        self._holders += 1
        return future

    def leave(self) -> bool:
        """Return whether nobody is left."""
        self._holders -= 1
        return self._holders <= 0

    def add(self, outcome: Outcome) -> bool:
        """Return whether all parts are there; then everybody is told."""
        self._found[outcome.part] = outcome
        if len(self._found) < self._parts:
            return False
        for future in self._futures:
            if not future.done():
                future.set_result([self._found[part] for part in sorted(self._found)])
        return True
