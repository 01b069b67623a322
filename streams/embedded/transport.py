"""A Faust transport on the embedded log, registered as `embedded://`.

It delivers chunks, not messages (Faust costs about 75 µs a message), and fetches only what a
partition's task has room for. Nothing rebalances here: all partitions are assigned once, with
generation 0. Offsets are the store's business: commits and seeks of Faust's own do nothing.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, cast

from faust.transport import base
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.producer import Producer as FaustProducer
from faust.types import TP, ConsumerMessage

from streams.agents.partition import CHUNK_BYTES, Chunk
from streams.embedded.log import EmbeddedLog
from streams.log import LogError


class Intake(Protocol):
    """What the transport asks of the worker it runs for; the Faust app carries it as `intake`."""

    log: EmbeddedLog
    room: asyncio.Event

    def wanted(self, partition: int) -> int | None:
        """The offset the partition's task wants next, or None while it has no room."""
        ...

    def fetched(self, partition: int, next_offset: int) -> None:
        """Messages below `next_offset` are on their way."""
        ...

    def broken(self, partition: int, why: str) -> None:
        """The log can't be read on; the partition stops."""
        ...

    def alive(self) -> None:
        """The transport still polls; called at least once a second."""
        ...

    async def assigned(self, partitions: Iterable[int]) -> None:
        """These partitions are this worker's now."""
        ...


class Consumer(FaustConsumer):
    """Reads chunks of the embedded log."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._intake: Intake = self.app.intake  # type: ignore[attr-defined]
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
            await _until_set(intake.room, left)

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

    def _to_message(self, tp: TP, record: Chunk) -> ConsumerMessage:
        last = record.messages[-1]
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.stamp / 1000, 1, None, None, cast(bytes, record), None,
            0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def assignment(self) -> set[TP]:
        """Return every partition of the topics subscribed to."""
        return self._assignment

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Answer nothing: each partition's task reads its place from the store and asks for it."""
        return {}

    async def _seek(self, partition: TP, offset: int) -> None:
        """Nothing: tasks say where to read."""

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Nothing: tasks say where to read."""

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:  # noqa: ARG002 - Faust's signature
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: a chunk's offset is that of its last message, so there are always gaps."""

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        if not acked:
            return None
        last = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1

    async def position(self, tp: TP) -> int | None:
        """Return where the partition's task reads."""
        return self._intake.wanted(tp.partition)

    def highwater(self, tp: TP) -> int:
        """Return the end of the partition."""
        return self._intake.log.bounds(tp.topic, tp.partition)[1]

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the end of each partition."""
        return {tp: self.highwater(tp) for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the start of each partition."""
        return {tp: self._intake.log.bounds(tp.topic, tp.partition)[0] for tp in partitions}

    def topic_partitions(self, topic: str) -> int | None:  # noqa: ARG002 - Faust's signature
        """Return how many partitions each topic has."""
        return self._intake.log.partitions

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the log has its topics."""

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        """Refuse: nothing is sent through Faust."""
        raise NotImplementedError(f"{topic}: Sluice's roles append to the log themselves")

    def close(self) -> None:
        """Stop being woken by the log."""
        while self._unwatch:
            self._unwatch.pop()()

    async def on_stop(self) -> None:
        """Stop being woken, then stop as Faust does."""
        self.close()
        await super().on_stop()


class Producer(FaustProducer):
    """Nothing is sent through Faust: each role appends to the log itself."""

    async def flush(self) -> None:
        """Nothing waits to be sent."""

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the log has its topics."""

    def key_partition(self, topic: str, key: bytes) -> TP:
        """Refuse: nothing is sent through Faust."""
        raise NotImplementedError(f"{topic}: Sluice's roles append to the log themselves")


class Transport(base.Transport):
    """The transport behind `embedded://`."""

    Consumer: ClassVar[type[FaustConsumer]] = Consumer
    Producer: ClassVar[type[FaustProducer]] = Producer
    driver_version = "embedded"


async def _until_set(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
