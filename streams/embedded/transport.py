"""A Faust transport on the embedded log, registered as `embedded://`.

It delivers chunks, not messages (Faust costs about 75 µs a message), and fetches only what a
partition's task has room for. Nothing rebalances here: all partitions are assigned once, with
generation 0. Offsets are the store's business: commits and seeks of Faust's own do nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from faust.transport import base
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.producer import Producer as FaustProducer
from faust.types import TP

from streams.agents.intake import ChunkConsumer, NoProducer, until_set
from streams.agents.partition import CHUNK_BYTES, Chunk
from streams.log import LogError


class Consumer(ChunkConsumer):
    """Reads chunks of the embedded log."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._assignment: set[TP] = set()
        self._unwatch: list[Any] = []

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Take all partitions of the topics. Faust waits for this to return before it assigns."""
        log = self._intake.log
        self._assignment = {TP(topic, p) for topic in topics for p in range(log.partitions)}
        for topic in {tp.topic for tp in self._assignment}:
            self._unwatch.append(log.watch(topic, lambda _partition: self._intake.room.set()))
        self.app.on_rebalance_start()
        self.add_future(self._assign())

    async def _assign(self) -> None:
        await self._intake.assigned({tp.partition for tp in self._assignment})
        await self.on_partitions_assigned(set(self._assignment), generation_id=0)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, Any]:
        intake = self._intake
        deadline = self.loop.time() + timeout
        while True:
            intake.room.clear()
            intake.alive()
            found = {}
            for tp in active_partitions or ():
                chunk = await self._fetch(tp)
                if chunk is not None:
                    found[tp] = [chunk]
            left = deadline - self.loop.time()
            if found or self.should_stop or left <= 0:
                return found
            await until_set(intake.room, left)

    async def _fetch(self, tp: TP) -> Chunk | None:
        offset = self._intake.wanted(tp.partition)
        if offset is None:
            return None
        log = self._intake.log
        try:
            messages = log.recent(tp.topic, tp.partition, offset, CHUNK_BYTES)
            if messages is None:
                messages = await log.fetch(tp.topic, tp.partition, offset, CHUNK_BYTES)
        except LogError as error:
            self._intake.broken(tp.partition, str(error))
            return None
        if not messages or self._intake.wanted(tp.partition) != offset:
            return None
        self._intake.fetched(tp.partition, messages[-1].offset + 1)
        return Chunk(tp.partition, messages)

    def assignment(self) -> set[TP]:
        """Return every partition of the topics subscribed to."""
        return self._assignment

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:  # noqa: ARG002 - Faust's signature
        return True

    def close(self) -> None:
        """Stop being woken by the log."""
        while self._unwatch:
            self._unwatch.pop()()

    async def on_stop(self) -> None:
        """Stop being woken, then stop as Faust does."""
        self.close()
        await super().on_stop()


class Transport(base.Transport):
    """The transport behind `embedded://`."""

    Consumer: ClassVar[type[FaustConsumer]] = Consumer
    Producer: ClassVar[type[FaustProducer]] = NoProducer
    driver_version = "embedded"
