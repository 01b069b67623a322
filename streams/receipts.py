"""Receipts: word that writes are stored. They only wake; the truth is in the store.

Also the gate: judge takes an event only once its origin is below what persist has committed, so nobody is
alerted about a record that can't be read yet.
"""

import asyncio
from collections.abc import Callable, Iterable

from storage.writes import Outcome


class Receipts:
    """Who waits for which write, and how far persist has come. Lives on one loop."""

    def __init__(self, partitions: int) -> None:
        self._committed = [0] * partitions
        self._gates: list[Callable[[int], None]] = []
        self._waiting: dict[str, _Wanted] = {}

    def expect(self, write_id: str, parts: int) -> "asyncio.Future[list[Outcome]]":
        """Return a future of the outcomes of all parts of a write. Call before it is appended.

        Several may wait for one write (an Idempotency-Key sent twice at once), each with a future of its own.
        """
        wanted = self._waiting.setdefault(write_id, _Wanted(parts))
        return wanted.expect()

    def forget(self, write_id: str) -> None:
        """One who waited for this write waits no more."""
        wanted = self._waiting.get(write_id)
        if wanted is not None and wanted.leave():
            del self._waiting[write_id]

    def stored(self, partition: int, next_offset: int, outcomes: Iterable[Outcome]) -> None:
        """Say that persist has committed everything below `next_offset`, these outcomes with it."""
        self.passed(partition, next_offset)
        if self._waiting:
            for outcome in outcomes:
                wanted = self._waiting.get(outcome.id)
                if wanted is not None and wanted.add(outcome):
                    del self._waiting[outcome.id]

    def passed(self, partition: int, next_offset: int) -> None:
        """Say how far persist has come, as the store told it."""
        self._committed[partition] = max(self._committed[partition], next_offset)
        for gate in self._gates:
            gate(partition)

    def committed(self, partition: int) -> int:
        """Return the offset below which everything in the partition is stored."""
        return self._committed[partition]

    def on_passed(self, gate: Callable[[int], None]) -> Callable[[], None]:
        """Have `gate(partition)` called whenever persist has come further; returns how to end that."""
        self._gates.append(gate)
        return lambda: self._gates.remove(gate)

    @property
    def awaited(self) -> bool:
        """Whether anybody waits for a write to be stored."""
        return bool(self._waiting)


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
