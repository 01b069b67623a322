"""The embedded log: topics as segment files in one directory, synced before anything is acknowledged."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Self

from rules.signals import Meter, SilentMeter
from streams.embedded.chain import Chain, open_chain
from streams.embedded.disk import Disk, SystemDisk
from streams.embedded.identity import DirectoryLock, identify
from streams.embedded.topic import Topic, TopicBounds
from streams.log import LogError, LogFailed, LogRefused, Message

_CLOSE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class LogPlan:
    """Where a log is and how it is kept. Sizes in bytes.

    A topic's messages take up to `segment_bytes` a file, which is also the least a trim drops.
    """

    directory: Path
    topics: Sequence[str]
    partitions: int
    segment_bytes: int = 64 * 1024 * 1024
    bounds: TopicBounds = field(default_factory=TopicBounds)


@dataclass(frozen=True, slots=True)
class _Opened:
    lock: DirectoryLock
    identity: str
    chains: Mapping[str, Chain]


class EmbeddedLog:
    """A `streams.log.Log` in files of this machine, for one process at a time.

    `cut_bytes` says, a topic, how many bytes of a torn last write were cut when it was opened.
    """

    def __init__(self, plan: LogPlan, opened: _Opened, clock: Callable[[], int], meter: Meter) -> None:
        self.identity = opened.identity
        self.partitions = plan.partitions
        self.cut_bytes: Mapping[str, int] = {name: c.cut_bytes for name, c in opened.chains.items()}
        self._lock = opened.lock
        self._loop = asyncio.get_running_loop()
        self._refusing: LogError | None = None
        self._failure: LogFailed | None = None
        self._on_failure: list[Callable[[LogFailed], None]] = []
        self._closing: asyncio.Task[None] | None = None
        self._topics = {
            name: Topic(name, chain, clock, meter, plan.bounds, partial(self._fail, name))
            for name, chain in opened.chains.items()
        }

    @classmethod
    async def open(
        cls,
        plan: LogPlan,
        clock: Callable[[], int],
        *,
        disk: Disk | None = None,
        meter: Meter | None = None,
    ) -> Self:
        """Open the log in a directory, or make one there. `clock` gives milliseconds since 1970.

        Raises: LogLocked (another process has it), LogRefused (another number of partitions, no room),
        LogDamaged (more is broken than a torn last write), LogFailed (the disk refuses).
        """
        opened = await asyncio.to_thread(_open, plan, disk or SystemDisk())
        return cls(plan, opened, clock, meter or SilentMeter())

    def append(self, topic: str, partition: int, payload: bytes) -> asyncio.Future[int]:
        """Return a future of the message's offset, which resolves once the message is durable."""
        future: asyncio.Future[int] = self._loop.create_future()
        if self._refusing is not None:
            future.set_exception(self._refusing.again())
        elif topic not in self._topics or not 0 <= partition < self.partitions:
            future.set_exception(_no_such(topic, partition))
        else:
            self._topics[topic].append(future, partition, payload)
        return future

    def recent(self, topic: str, partition: int, offset: int, max_bytes: int) -> list[Message] | None:
        """Return messages from `offset` on if memory holds them, None if they must be fetched."""
        return self._find(topic, partition).recent(partition, offset, max_bytes)

    async def fetch(self, topic: str, partition: int, offset: int, max_bytes: int) -> list[Message]:
        """Return messages from `offset` on; from the disk, in a thread, where memory has them no longer."""
        found = self._find(topic, partition)
        messages = found.recent(partition, offset, max_bytes)
        if messages is None:
            end = found.end(partition)
            messages = await asyncio.to_thread(found.read, partition, offset, end, max_bytes)
        return messages

    def read(self, topic: str, partition: int, offset: int, max_bytes: int) -> list[Message]:
        """Return messages from `offset` on; holds up the loop where memory has them no longer."""
        found = self._find(topic, partition)
        messages = found.recent(partition, offset, max_bytes)
        if messages is None:
            messages = found.read(partition, offset, found.end(partition), max_bytes)
        return messages

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the offset of the first message kept and the offset the next message will have."""
        found = self._find(topic, partition)
        return found.chain.starts()[partition], found.end(partition)

    async def measure(self, topic: str, partition: int) -> tuple[int, int]:
        """Return what `bounds` does: nobody else appends here."""
        return self.bounds(topic, partition)

    def watch(self, topic: str, callback: Callable[[int], None]) -> Callable[[], None]:
        """Call `callback(partition)` on the loop after messages of that partition became readable."""
        return self._find(topic, 0).watch(callback)

    async def trim(self, topic: str, below: Mapping[int, int], older_than: int | None = None) -> int:
        """Drop whole sealed segments below these offsets (and older), and return the bytes that came free."""
        chain = self._find(topic, 0).chain
        return await asyncio.to_thread(chain.trim, dict(below), older_than)

    def size(self, topic: str) -> int:
        """Return the bytes of the topic's segments."""
        return self._find(topic, 0).chain.size()

    def on_failure(self, callback: Callable[[LogFailed], None]) -> None:
        """Call `callback` once on the loop when the log fails for good; soon, if it has failed already."""
        if self._failure is not None:
            self._loop.call_soon(callback, self._failure)
        else:
            self._on_failure.append(callback)

    async def close(self, deadline: float = _CLOSE_SECONDS) -> None:
        """Make durable what was appended and let go of the files, within `deadline` seconds."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close(deadline))
        await asyncio.shield(self._closing)

    async def _close(self, deadline: float) -> None:
        if self._refusing is None:
            self._refusing = LogRefused("The log is closed.")
        ended = await asyncio.gather(*(topic.close(deadline) for topic in self._topics.values()))
        # A writer that hangs may write yet; until the process ends nobody else may.
        if all(ended):
            self._lock.release()

    def _find(self, topic: str, partition: int) -> Topic:
        found = self._topics.get(topic)
        if found is None or not 0 <= partition < self.partitions:
            raise _no_such(topic, partition)
        return found

    def _fail(self, name: str, failure: LogFailed) -> None:
        self._topics[name].abandon(failure)
        if self._failure is None:
            self._refusing = self._failure = failure
            callbacks, self._on_failure = self._on_failure, []
            for callback in callbacks:
                callback(failure)


def _no_such(topic: str, partition: int) -> LogRefused:
    return LogRefused(f"The log has no partition {partition} of a topic {topic!r}.")


def _open(plan: LogPlan, disk: Disk) -> _Opened:
    chains: dict[str, Chain] = {}
    try:
        lock = DirectoryLock(plan.directory)
        try:
            identity = identify(plan.directory, plan.partitions, disk)
            for topic in plan.topics:
                directory = plan.directory / topic
                chains[topic] = open_chain(directory, plan.partitions, plan.segment_bytes, disk)
        except BaseException:
            for chain in chains.values():
                chain.close()
            lock.release()
            raise
    except OSError as error:
        raise LogFailed(f"The log in {plan.directory} can't be opened: {error}. Look at the disk.") from error
    return _Opened(lock, identity, chains)
