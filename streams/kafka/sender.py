"""The producer of one role: made, and when a send's end was not seen dropped for another one.

An idempotent producer of aiokafka tries a batch again for as long as it lives, so what was given up may land
much later (seen: five of five did). Only ending the producer bounds that: what it has on the wire may still
land, the rest never will.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.kafka.connection import Connection

logger = logging.getLogger(__name__)

AGAIN: Final = 0.5
"""Seconds between attempts to make a producer while the brokers are away."""

CLOSE: Final = 2.0

BATCH_BYTES: Final = 1024 * 1024
"""Payloads that travel together; a single larger one goes alone."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a role appends. `patience`: seconds until an unanswered batch counts as unknown.

    Not `durable`: the leader's word is enough (acks=1), and a message may be lost or come twice.
    """

    durable: bool = True
    compression: str | None = None
    patience: float = 10.0


class Sender:
    """Keeps one producer ready. `changed` is called with what is wrong, None once it is well.

    `watch` is given the task that makes another one, which must not fail.
    """

    def __init__(
        self,
        connection: Connection,
        manner: Manner,
        topic: str,
        changed: Callable[[str | None], None],
        watch: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self.manner = manner
        self._connection = connection
        self._topic = topic
        self._changed = changed
        self._watch = watch
        self._producer: AIOKafkaProducer | None = None
        self._making: asyncio.Task[None] | None = None

    @property
    def producer(self) -> AIOKafkaProducer | None:
        """The producer to use, None while there is none."""
        return self._producer

    async def open(self) -> None:
        """Make the first producer. Raises: KafkaError, TimeoutError, OSError."""
        self._producer = await self._made()

    def lost(self, producer: AIOKafkaProducer, why: str) -> None:
        """Drop this producer with all that it holds, and make another one in the background."""
        if producer is not self._producer:
            return
        self._producer = None
        self._changed(f"{self._topic}: {why}")
        self._making = asyncio.create_task(self._replace(producer), name=f"producer of {self._topic}")
        self._watch(self._making)

    async def close(self) -> None:
        """End the producer; what it holds is unknown then."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        producer, self._producer = self._producer, None
        if producer is not None:
            await end(producer)

    async def _replace(self, producer: AIOKafkaProducer) -> None:
        # first the end, or what the old one still sends could come after what the new one did
        await end(producer)
        while True:
            try:
                producer = await self._made()
            except (KafkaError, TimeoutError, OSError) as error:
                logger.debug("No producer for %s yet: %s", self._topic, error)
                await asyncio.sleep(AGAIN)
            else:
                self._producer = producer
                self._changed(None)
                return

    async def _made(self) -> AIOKafkaProducer:
        manner = self.manner
        producer = AIOKafkaProducer(
            **self._connection.options(manner.patience),
            acks="all" if manner.durable else 1,
            enable_idempotence=manner.durable,
            compression_type=manner.compression,
            max_batch_size=BATCH_BYTES,
        )
        try:
            async with asyncio.timeout(manner.patience):
                await producer.start()
                await producer.partitions_for(self._topic)
        except BaseException:
            await end(producer)
            raise
        return producer


async def end(producer: AIOKafkaProducer) -> None:
    """End a producer at once. Its own `stop` waits for the brokers (seen: over 15 s while they were down)."""
    producer._closed = True  # or it complains when it is collected
    task = producer._sender.sender_task
    if task is not None:
        task.cancel()
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE):
            await producer.client.close()
    if task is not None:
        await asyncio.wait([task], timeout=CLOSE)
    held = producer._message_accumulator
    batches = [*held._pending_batches, *(batch for waiting in held._batches.values() for batch in waiting)]
    held.fail_all(KafkaError("the producer was dropped"))
    for future in (future for batch in batches for future in (batch.future, batch._drain_waiter)):
        if future.done() and not future.cancelled():
            future.exception()  # nobody else may ask, and asyncio would complain
