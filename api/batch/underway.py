"""Blocks of a load that are logged and not stored yet, and what became of those that are."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from api.batch.ledger import Ledger
from rules.job import Mark
from storage import writes
from storage.store import Store
from storage.writes import Outcome
from streams.awaiting import on_loop
from streams.receipts import Receipts

ASK_EVERY: Final = 0.25


class Sent(Struct, frozen=True):
    """A block that is logged: its writes, their places, its bytes there, where the next block begins.

    `done` are the bytes worked through with it.
    """

    write_ids: Sequence[str]
    places: Sequence[tuple[int, int]]
    size: int
    mark: Mark
    done: int


class UnderWay:
    """The blocks of one job between log and store, in their order."""

    def __init__(self, store: Store, receipts: Receipts, ledger: Ledger) -> None:
        self.ledger = ledger
        self._store = store
        self._receipts = receipts
        self._sent: deque[Sent] = deque()
        self._stored: list[Sent] = []
        self._size = 0
        self._moved = asyncio.Event()
        self._unwatch = receipts.on_passed(lambda _: self._moved.set())

    def close(self) -> None:
        """Listen no more."""
        self._unwatch()

    def add(self, sent: Sent) -> None:
        """Take in a block that is logged."""
        self._sent.append(sent)
        self._size += sent.size

    async def shrink(self, most: int) -> None:
        """Wait until at most so many bytes are logged and not stored.

        What is stored is counted now and then. Raises: OvertakenError, Later.
        """
        while True:
            self._look()
            if self._stored and self.ledger.due:
                await self._count()
            if self._size <= most:
                return
            await self._wait()

    async def empty(self) -> None:
        """Wait until all of it is stored and counted. Raises: OvertakenError, Later."""
        self._look()
        while self._sent:
            await self._wait()
            self._look()
        if self._stored:
            await self._count()

    async def _wait(self) -> None:
        self.ledger.watch()
        self._moved.clear()
        try:
            async with asyncio.timeout(ASK_EVERY):
                await self._moved.wait()
        except TimeoutError:
            return

    def _look(self) -> None:
        committed = self._receipts.committed
        while self._sent and all(committed(place) > offset for place, offset in self._sent[0].places):
            sent = self._sent.popleft()
            self._stored.append(sent)
            self._size -= sent.size

    async def _count(self) -> None:
        """Keep, in one transaction, what became of stored blocks and that the job has come past them."""
        stored = self._stored
        ids = [write_id for sent in stored for write_id in sent.write_ids]

        def read(c: Connection) -> list[Outcome]:
            return writes.among(c, ids)

        outcomes = await on_loop(self._store.read(read)) if ids else []
        progress = self.ledger.job.progress
        counts = list(progress.counts)
        for outcome in outcomes:
            source = source_of(outcome.id)
            counts[source] = counts[source].plus(
                accepted=outcome.accepted,
                inserted=outcome.inserted,
                replaced=outcome.replaced,
                ignored=outcome.ignored,
                quarantined=outcome.quarantined,
            )
        last = stored[-1]
        self._stored = []
        await self.ledger.note(
            msgspec.structs.replace(progress, counts=counts, mark=last.mark, done=last.done)
        )


def write_name(job: str, source: int, dataset: int, block: int, piece: int, partition: int) -> str:
    """Return the id of the write of a piece of a block that goes to one partition of a dataset, by its id."""
    return f"load:{job}:{source}:{dataset}:{block}:{piece}:{partition}"


def source_of(write_id: str) -> int:
    """Return which source of its job a write is of."""
    return int(write_id.split(":")[2])
