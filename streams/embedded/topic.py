"""One topic as the event loop sees it: what waits, what is durable, who wants to know."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rules.signals import Meter
from streams.embedded.chain import Chain
from streams.embedded.tail import Tail
from streams.embedded.writer import MAX_MESSAGE_BYTES, Outcome, Waiting, Writer
from streams.log import LogError, LogFailed, LogOutOfRange, LogRefused, LogUnknown, Message

_WAITING_OVERHEAD: Final = 512
"""Bytes an append costs beside its payload while it waits: its future above all."""


@dataclass(frozen=True, slots=True)
class TopicBounds:
    """Bytes a topic keeps in memory: of its newest messages, and of appends that wait."""

    tail_bytes: int = 8 * 1024 * 1024
    waiting_bytes: int = 128 * 1024 * 1024


class Topic:
    """One topic. Its methods are called on the loop; `read` on any thread."""

    def __init__(
        self,
        name: str,
        chain: Chain,
        clock: Callable[[], int],
        meter: Meter,
        bounds: TopicBounds,
        failed: Callable[[LogFailed], None],
    ) -> None:
        self.name = name
        self.chain = chain
        self._meter = meter
        self._bounds = bounds
        self._waiting_bytes = 0
        self._tail = Tail(chain.nexts(), bounds.tail_bytes)
        self._watchers: list[Callable[[int], None]] = []
        self._writer = Writer(name, chain, clock, self._settle, failed)

    def append(self, future: "asyncio.Future[int]", partition: int, payload: bytes) -> None:
        """Have the payload written; `future` gets the offset."""
        if len(payload) > MAX_MESSAGE_BYTES:
            what = f"A message of {len(payload)} bytes is too large for {self.name}; {MAX_MESSAGE_BYTES} fit."
            future.set_exception(LogRefused(what))
        elif self._waiting_bytes + len(payload) > self._bounds.waiting_bytes:
            what = f"{self._waiting_bytes} bytes wait to be written to {self.name}; try again later."
            future.set_exception(LogRefused(what))
        else:
            self._waiting_bytes += len(payload) + _WAITING_OVERHEAD
            self._writer.put((future, partition, payload))

    def end(self, partition: int) -> int:
        """Return the offset the next durable message will have."""
        return self._tail.end(partition)

    def recent(self, partition: int, offset: int, max_bytes: int) -> list[Message] | None:
        """Return messages from memory, None where it has them no longer. Raises: LogOutOfRange."""
        end = self._tail.end(partition)
        if offset > end:
            raise LogOutOfRange(
                f"Offset {offset} is beyond the end of {self.name}/{partition}, which is {end}."
            )
        return self._tail.recent(partition, offset, max_bytes)

    def read(self, partition: int, offset: int, end: int, max_bytes: int) -> list[Message]:
        """Return messages from the disk. Raises: LogOutOfRange, LogDamaged, LogFailed."""
        start = self.chain.starts()[partition]
        if offset < start:
            raise LogOutOfRange(
                f"Offset {offset} is below the start of {self.name}/{partition}, which is {start}."
            )
        return self.chain.read(partition, offset, end, max_bytes)

    def watch(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Call `callback` with each partition that has new messages; the function returned ends it."""
        self._watchers.append(callback)

        def unwatch() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)

        return unwatch

    async def close(self, deadline: float) -> bool:
        """Write what waits and end. Return False if it took longer than `deadline` seconds."""
        self._writer.stop()
        try:
            await asyncio.wait_for(self._writer.ended.wait(), deadline)
        except TimeoutError:
            self.abandon(LogUnknown(f"The log closed before the disk had answered for {self.name}."))
            return False
        # Nothing can wait any more, unless the writer failed.
        self.abandon(LogFailed(f"The log's topic {self.name} failed before this was written."))
        self.chain.close()
        return True

    def abandon(self, error: LogError) -> None:
        """End every append that is not settled with `error`."""
        self._release(self._writer.abandoned(), error)

    def _settle(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._release(outcome.batch, outcome.error)
            return
        block = [
            (partition, Message(offset, outcome.stamp, payload))
            for (_, partition, payload), offset in zip(outcome.batch, outcome.offsets, strict=True)
        ]
        partitions = self._tail.add(block)
        for (future, _, payload), offset in zip(outcome.batch, outcome.offsets, strict=True):
            self._waiting_bytes -= len(payload) + _WAITING_OVERHEAD
            if not future.done():
                future.set_result(offset)
        self._meter.time("fsync_seconds", outcome.seconds, topic=self.name)
        for watcher in tuple(self._watchers):
            for partition in partitions:
                self._call(watcher, partition)

    def _release(self, batch: list[Waiting], error: LogError) -> None:
        for future, _, payload in batch:
            self._waiting_bytes -= len(payload) + _WAITING_OVERHEAD
            if not future.done():
                future.set_exception(error.again())

    def _call(self, watcher: Callable[[int], None], partition: int) -> None:
        try:
            watcher(partition)
        # One watcher must not keep the others from being told.
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"A watcher of the log's topic {self.name} failed.", "exception": error}
            )
