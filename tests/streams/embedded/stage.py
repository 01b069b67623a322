"""Parts that the embedded log's tests share: a clock, disks that record, wait or fail, a way to open."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

from streams.embedded.disk import Disk, SystemDisk
from streams.embedded.log import EmbeddedLog, LogPlan
from streams.embedded.topic import TopicBounds

DEADLINE = 10.0
NO_TAIL = TopicBounds(tail_bytes=0)


class SettableClock:
    """Milliseconds that stand still until they are set."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class StagedDisk:
    """A real disk that records its calls in order, waits at `gate`, and fails when it is told to.

    `fail_write` and `fail_sync` are error numbers; a write that fails has written half.
    """

    def __init__(self) -> None:
        self._disk = SystemDisk()
        self.calls: list[str] = []
        self.gate = Event()
        self.gate.set()
        self.reached = Event()
        self.fail_write: int | None = None
        self.fail_sync: int | None = None

    def write(self, fd: int, data: bytes, position: int) -> None:
        self.calls.append("write")
        if self.fail_write is not None:
            self._disk.write(fd, data[: len(data) // 2], position)
            raise OSError(self.fail_write, os.strerror(self.fail_write))
        self._disk.write(fd, data, position)

    def sync(self, fd: int) -> None:
        self.reached.set()
        assert self.gate.wait(DEADLINE)
        if self.fail_sync is not None:
            raise OSError(self.fail_sync, os.strerror(self.fail_sync))
        self._disk.sync(fd)
        self.calls.append("sync")


NO_SPACE = errno.ENOSPC
IO_ERROR = errno.EIO


async def reached(disk: StagedDisk) -> None:
    """Wait until the disk is asked to sync."""
    assert await asyncio.to_thread(disk.reached.wait, DEADLINE)


@asynccontextmanager
async def opened(
    directory: Path,
    *,
    partitions: int = 2,
    segment_bytes: int = 64 * 1024 * 1024,
    bounds: TopicBounds | None = None,
    disk: Disk | None = None,
    clock: Callable[[], int] | None = None,
) -> AsyncIterator[EmbeddedLog]:
    """Open a log of the topics `writes` and `events`, and close it after."""
    plan = LogPlan(directory, ("writes", "events"), partitions, segment_bytes, bounds or TopicBounds())
    log = await EmbeddedLog.open(plan, clock or SettableClock(1_000), disk=disk)
    try:
        yield log
    finally:
        await log.close()


def segments(directory: Path, topic: str = "writes") -> list[Path]:
    """Return the segment files of a topic, oldest first."""
    return sorted((directory / topic).glob("*.seg"))
