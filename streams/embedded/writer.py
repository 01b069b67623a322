"""The thread that writes a topic: what gathers while one block is made durable is the next block."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Final

from streams.embedded.chain import Chain
from streams.log import LogError, LogFailed, LogRefused, LogUnknown

MAX_MESSAGE_BYTES: Final = 2 * 1024 * 1024
_BLOCK_BYTES: Final = 4 * 1024 * 1024
_BLOCK_MESSAGES: Final = 4096
"""Bounds the time the loop spends resolving one block."""

Waiting = tuple["asyncio.Future[int]", int, bytes]
"""An append under way: its future, its partition, its payload."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one block ended: its appends with their offsets and stamp, or the error they all end with."""

    batch: list[Waiting]
    offsets: list[int]
    stamp: int
    seconds: float
    error: LogError | None = None


class Writer:
    """Writes what is put, block by block, and tells the loop how each block ended.

    `settled` is called on the loop for each block, `failed` at most once, after the last of them.
    """

    def __init__(
        self,
        topic: str,
        chain: Chain,
        clock: Callable[[], int],
        settled: Callable[[Outcome], None],
        failed: Callable[[LogFailed], None],
    ) -> None:
        self._topic = topic
        self._chain = chain
        self._clock = clock
        self._settled = settled
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._held: Waiting | None = None
        self._current: list[Waiting] = []
        self._stopping = False
        self.ended = asyncio.Event()
        Thread(target=self._run, name=f"log-{topic}", daemon=True).start()

    def put(self, waiting: Waiting) -> None:
        """Have it written. Order is kept."""
        self._queue.put(waiting)

    def stop(self) -> None:
        """End after what was put before; `ended` says when."""
        self._queue.put(None)

    def abandoned(self) -> list[Waiting]:
        """Return what is not settled and take it from the queue; for when nobody waits any longer."""
        left = list(self._current)
        if self._held is not None:
            left.append(self._held)
        with suppress(Empty):
            while True:
                waiting = self._queue.get_nowait()
                if waiting is not None:
                    left.append(waiting)
        self._queue.put(None)
        return left

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._current = self._gather()
                if self._current:
                    self._commit(self._current)
        # Whatever it was, nobody writes from here on, and all who wait must hear of it.
        except Exception as error:
            what = f"Writing the log's topic {self._topic} failed: {error}"
            unknown = LogUnknown(f"{what}. It may be in the log or not; ask after the next start.")
            self._tell(self._settled, Outcome(self._current, [], 0, 0.0, unknown))
            self._current = []
            self._tell(self._failed, LogFailed(f"{what}. Look at the disk, then start the broker again."))
        self._tell(self.ended.set)

    def _gather(self) -> list[Waiting]:
        first = self._held or self._queue.get()
        self._held = None
        if first is None:
            self._stopping = True
            return []
        batch = [first]
        size = len(first[2])
        for _ in range(min(self._queue.qsize(), _BLOCK_MESSAGES - 1)):
            waiting = self._queue.get_nowait()
            if waiting is None:
                self._stopping = True
                break
            size += len(waiting[2])
            if size > _BLOCK_BYTES:
                self._held = waiting
                break
            batch.append(waiting)
        return batch

    def _commit(self, batch: list[Waiting]) -> None:
        begin = perf_counter()
        try:
            offsets, stamp = self._chain.append([(p, payload) for _, p, payload in batch], self._clock())
        except LogRefused as refusal:
            outcome = Outcome(batch, [], 0, perf_counter() - begin, refusal)
        else:
            outcome = Outcome(batch, offsets, stamp, perf_counter() - begin)
        self._current = []
        self._tell(self._settled, outcome)

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        # A loop that was closed before the log has nobody left to be told.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *args)
