"""What a transport and its worker say to each other, and what every transport of ours answers Faust.

Both transports deliver chunks, not messages (Faust costs about 75 µs a message), and only what a partition's
task has room for. Offsets are the store's business: Faust's own commits, seeks and gaps mean nothing here.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

from faust.transport.consumer import Consumer
from faust.transport.producer import Producer
from faust.types import TP, ConsumerMessage

from streams.agents.partition import Chunk
from streams.log import Log


class Intake(Protocol):
    """What a transport asks of the worker it runs for; the Faust app carries it as `intake`."""

    log: Log
    topic: str
    room: asyncio.Event

    def wanted(self, partition: int) -> int | None:
        """The offset the partition's task wants next, or None while it has no room."""

    def fetched(self, partition: int, next_offset: int) -> None:
        """Messages below `next_offset` are on their way."""

    def applied(self, partition: int) -> int | None:
        """The offset below which the partition is applied, None where it is not claimed."""

    def astray(self, partition: int, offset: int, why: str) -> None:
        """The log has nothing at this offset, any more or yet."""

    def broken(self, partition: int, why: str) -> None:
        """The log can't be read on; the partition stops."""

    def alive(self) -> None:
        """The transport still polls; called at least once a second."""

    async def assigned(self, partitions: Iterable[int]) -> None:
        """These partitions are this worker's now."""


class Unread(dict[TP, int | None]):
    """Faust's memory of what it has read, kept empty: it drops what it takes for read (seen).

    A partition's task that goes back after a rollback must get what it asks for.
    """

    def __getitem__(self, tp: TP) -> None:
        """Nothing was read."""

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Forget it."""

    def update(self, *_: Any, **__: Any) -> None:
        """Forget them."""


class ChunkConsumer(Consumer):
    """The part of a consumer that is the same whatever the log is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._intake: Intake = self.app.intake  # type: ignore[attr-defined]
        self._read_offset = Unread()

    def _to_message(self, tp: TP, record: Chunk) -> ConsumerMessage:
        last = record.messages[-1]
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.stamp / 1000, 1, None, None, cast(bytes, record), None,
            0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Answer nothing: each partition's task reads its place from the store and asks for it."""
        return {}

    async def _seek(self, partition: TP, offset: int) -> None:
        """Nothing: tasks say where to read."""

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Nothing: tasks say where to read."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: a chunk's offset is that of its last message, so there are always gaps."""

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        if not acked:
            return None
        last: int = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1

    async def position(self, tp: TP) -> int | None:
        """Return where the partition's task reads."""
        return self._intake.wanted(tp.partition)

    def highwater(self, tp: TP) -> int:
        """Return the end of the partition, as known here."""
        return self._intake.log.bounds(self._intake.topic, tp.partition)[1]

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the end of each partition."""
        return {tp: self.highwater(tp) for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the start of each partition."""
        return {tp: self._intake.log.bounds(self._intake.topic, tp.partition)[0] for tp in partitions}

    def topic_partitions(self, topic: str) -> int | None:  # noqa: ARG002 - Faust's signature
        """Return how many partitions each topic has."""
        return self._intake.log.partitions

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the log has its topics."""

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:
        """Refuse: nothing is sent through Faust."""
        raise NotImplementedError(f"{topic}: Sluice's roles append to the log themselves")


class NoProducer(Producer):
    """Nothing is sent through Faust: each role appends to the log itself."""

    async def flush(self) -> None:
        """Nothing waits to be sent."""

    async def create_topic(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the log has its topics."""

    def key_partition(self, topic: str, key: bytes) -> TP:
        """Refuse: nothing is sent through Faust."""
        raise NotImplementedError(f"{topic}: Sluice's roles append to the log themselves")


async def until_set(event: asyncio.Event, seconds: float) -> None:
    """Return once the event is set, or after that time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
