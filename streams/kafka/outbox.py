"""Appends to one topic: what waits for a partition goes as one batch, and one batch a partition is under way.

So the order of the calls is kept whatever is retried, and little is unknown when an answer does not come.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidRequiredAcksError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from streams.kafka.sender import BATCH_BYTES, Sender
from streams.log import LogAway, LogError, LogRefused, LogUnknown

MAX_MESSAGE_BYTES: Final = 2 * 1024 * 1024
WAITING_BYTES: Final = 128 * 1024 * 1024
_OVERHEAD: Final = 512
"""Bytes an append costs beside its payload while it waits: its future above all."""

_NEVER_APPENDED: Final = (
    ClusterAuthorizationFailedError,
    InvalidRequiredAcksError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
"""Answers after which nothing of the batch is in the log. Any other failure leaves that open."""


class _Waiting(NamedTuple):
    future: "asyncio.Future[int]"
    payload: bytes


class Outbox:
    """Appends for one topic. `logged(partition, next_offset, bytes)` is called for each batch in the log."""

    def __init__(
        self, topic: str, name: str, sender: Sender, logged: Callable[[int, int, int], None]
    ) -> None:
        self._topic = topic
        self._name = name
        self._sender = sender
        self._logged = logged
        self._size = 0
        self._waiting: dict[int, deque[_Waiting]] = {}
        self._pumps: dict[int, asyncio.Task[None]] = {}

    def append(self, future: "asyncio.Future[int]", partition: int, payload: bytes) -> None:
        """Have the payload appended; `future` gets the offset."""
        if len(payload) > MAX_MESSAGE_BYTES:
            what = (
                f"A message of {len(payload)} bytes is too large for {self._topic}; {MAX_MESSAGE_BYTES} fit."
            )
            future.set_exception(LogRefused(what))
        elif self._size + len(payload) > WAITING_BYTES:
            what = f"{self._size} bytes wait to be written to {self._topic}; try again later."
            future.set_exception(LogRefused(what))
        elif self._sender.producer is None:
            future.set_exception(self._away())
        else:
            self._size += len(payload) + _OVERHEAD
            self._waiting.setdefault(partition, deque()).append(_Waiting(future, payload))
            if partition not in self._pumps:
                pump = asyncio.create_task(self._pump(partition), name=f"{self._topic}-{partition}")
                self._pumps[partition] = pump

    async def flush(self) -> None:
        """Return once nothing waits any more."""
        while self._pumps:
            await asyncio.gather(*self._pumps.values())

    async def abandon(self) -> None:
        """End everything that waits as unknown."""
        pumps = list(self._pumps.values())
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, partition: int) -> None:
        waiting = self._waiting[partition]
        batch: list[_Waiting] = []
        try:
            while waiting:
                producer = self._sender.producer
                if producer is None:
                    self._end(waiting, self._away())
                    break
                builder, batch = _taken(producer, waiting)
                self._settle(partition, batch, await self._send(producer, builder, partition))
                batch = []
        finally:
            for left in (batch, waiting):  # there is something only where the pump was cancelled
                self._end(left, LogUnknown("The log closed before Kafka had answered."))
            del self._pumps[partition], self._waiting[partition]

    async def _send(self, producer: AIOKafkaProducer, builder: Any, partition: int) -> int | LogError:
        """Return the offset of the batch's first message, or how it ended."""
        patience = self._sender.manner.patience
        try:
            async with asyncio.timeout(patience):
                sent = await producer.send_batch(builder, self._name, partition=partition)
                told = await sent
        except _NEVER_APPENDED as error:
            return LogRefused(f"Kafka refuses to append to {self._name}: {error}.")
        except (KafkaError, TimeoutError, OSError) as error:
            why = (
                f"Kafka did not answer in {patience:g} s" if isinstance(error, TimeoutError) else f"{error!r}"
            )
            self._sender.lost(producer, why)
            return LogUnknown(f"An append to {self._name} came to no known end. It may land yet.")
        if told.offset < 0:
            # a repeat of its own that Kafka recognised and whose place it had forgotten
            return LogUnknown(f"Kafka has the append to {self._name} and does not say where.")
        return int(told.offset)

    def _settle(self, partition: int, batch: list[_Waiting], ended: int | LogError) -> None:
        if isinstance(ended, LogError):
            self._end(batch, ended)
            return
        self._size -= sum(len(one.payload) + _OVERHEAD for one in batch)
        for offset, one in enumerate(batch, ended):
            if not one.future.done():
                one.future.set_result(offset)
        self._logged(partition, ended + len(batch), sum(len(one.payload) for one in batch))

    def _end(self, waiting: "list[_Waiting] | deque[_Waiting]", error: LogError) -> None:
        for one in waiting:
            self._size -= len(one.payload) + _OVERHEAD
            if not one.future.done():
                one.future.set_exception(error.again())
        waiting.clear()

    def _away(self) -> LogAway:
        return LogAway(f"Kafka does not answer; nothing was handed over for {self._topic}.")


def _taken(producer: AIOKafkaProducer, waiting: deque[_Waiting]) -> tuple[Any, list[_Waiting]]:
    """Take the first of what waits into a batch, up to `BATCH_BYTES`, and at least one."""
    builder = producer.create_batch()
    batch: list[_Waiting] = []
    size = 0
    while waiting and (not batch or size + len(waiting[0].payload) <= BATCH_BYTES):
        if builder.append(timestamp=None, key=None, value=waiting[0].payload) is None:
            break
        batch.append(waiting.popleft())
        size += len(batch[-1].payload)
    builder.close()
    return builder, batch
