"""Group commit: entries of one partition that arrive together share an envelope.

One envelope a partition is under way at a time, and one is begun each `linger` at most; what arrives
meanwhile goes into the next. So an idle broker answers after one fsync, and a loaded one makes few and large
envelopes, each of which costs the same whatever it holds.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rules.errors import LOG_UNAVAILABLE, OUTCOME_UNKNOWN, Problem
from rules.names import fold
from streams.backlog import Backlog
from streams.log import Log, LogRefused, LogUnknown
from streams.topics import WRITES
from streams.wire import join


class _Waiting(NamedTuple):
    entry: bytes
    workspace: str
    alone: bool
    logged: "asyncio.Future[int]"


class _Lane:
    """What waits for one partition."""

    __slots__ = ("begun", "busy", "stuck", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.busy = False
        self.stuck = False
        self.begun = 0.0


class Publisher:
    """Appends encoded entries to `writes`. Its futures resolve once the log has them durably.

    `most` is the size in bytes at which an envelope is closed; a single larger entry goes alone. `linger`
    is in seconds, and so is `deadline`, after which nobody waits for the log's word any longer.
    """

    def __init__(
        self, log: Log, backlog: Backlog, most: int, linger: float = 0.0, deadline: float = 30.0
    ) -> None:
        self._log = log
        self._backlog = backlog
        self._most = most
        self._linger = linger
        self._deadline = deadline
        self._lanes = [_Lane() for _ in range(log.partitions)]
        self._loop = asyncio.get_running_loop()

    @property
    def partitions(self) -> int:
        """How many partitions there are."""
        return len(self._lanes)

    def publish(
        self, partition: int, entry: bytes, workspace: str, *, alone: bool = False
    ) -> "asyncio.Future[int]":
        """Append an entry; the future gives its envelope's offset.

        It fails with Problem: `log_unavailable` where nothing was logged, `outcome_unknown` where it may
        have been. An entry that must be a batch of its own (a delete) goes `alone`.
        """
        logged: asyncio.Future[int] = self._loop.create_future()
        lane = self._lanes[partition]
        if lane.stuck:
            logged.set_exception(_problem(self._stuck()))
            return logged
        lane.waiting.append(_Waiting(entry, fold(workspace), alone, logged))
        if not lane.busy:
            lane.busy = True
            self._soon(partition, lane)
        return logged

    def _soon(self, partition: int, lane: "_Lane") -> None:
        """Begin the next envelope, `linger` after the one before."""
        wait = lane.begun + self._linger - self._loop.time()
        if wait > 0:
            self._loop.call_later(wait, self._flush, partition)
        else:
            self._loop.call_soon(self._flush, partition)

    def _flush(self, partition: int) -> None:
        lane = self._lanes[partition]
        batch = self._take(lane)
        if not batch:
            lane.busy = False
            return
        lane.begun = self._loop.time()
        appended = self._log.append(WRITES, partition, join([waiting.entry for waiting in batch]))
        overdue = self._loop.call_later(self._deadline, self._overdue, lane, batch)
        appended.add_done_callback(lambda future: self._logged(partition, batch, future, overdue))

    def _take(self, lane: _Lane) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while lane.waiting:
            first = lane.waiting[0]
            if batch and (first.alone or size + len(first.entry) > self._most):
                break
            batch.append(lane.waiting.popleft())
            size += len(first.entry)
            if first.alone:
                break
        return batch

    def _logged(
        self,
        partition: int,
        batch: Sequence[_Waiting],
        appended: "asyncio.Future[int]",
        overdue: asyncio.TimerHandle,
    ) -> None:
        overdue.cancel()
        error = LogUnknown("the broker is stopping") if appended.cancelled() else appended.exception()
        if error is not None:
            self._fail(batch, error)
        else:
            offset = appended.result()
            sizes: dict[str, int] = {}
            for waiting in batch:
                sizes[waiting.workspace] = sizes.get(waiting.workspace, 0) + len(waiting.entry)
            self._backlog.added(partition, offset, time.monotonic(), sizes)
            for waiting in batch:
                if not waiting.logged.done():
                    waiting.logged.set_result(offset)
        lane = self._lanes[partition]
        lane.stuck = False
        if lane.waiting:
            self._soon(partition, lane)
        else:
            lane.busy = False

    def _overdue(self, lane: _Lane, batch: Sequence[_Waiting]) -> None:
        """Wait no longer for the log, nor let anybody wait behind what it does not answer."""
        lane.stuck = True
        self._fail(batch, LogUnknown("it did not answer"))
        self._fail(lane.waiting, self._stuck())
        lane.waiting.clear()

    def _stuck(self) -> LogRefused:
        return LogRefused(f"an append before it has not ended within {self._deadline:g} s")

    def _fail(self, batch: Iterable[_Waiting], error: BaseException) -> None:
        for waiting in batch:
            if not waiting.logged.done():
                waiting.logged.set_exception(_problem(error))


def _problem(error: BaseException) -> Problem:
    if isinstance(error, LogRefused):
        return Problem(LOG_UNAVAILABLE, f"The log did not take the write: {error}. Nothing was written.")
    return Problem(
        OUTCOME_UNKNOWN,
        "The log did not say whether it has the write. It may be stored yet; send it again with the same "
        "Idempotency-Key to be sure.",
        extra={"outcome": "unknown"},
    )
