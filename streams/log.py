"""The log: what it promises, whichever engine keeps it, and the ways in which it says no.

A log has topics, each with the same number of partitions. Topics and payloads are opaque to it. Offsets
are dense from 0 in each partition of a topic and are never used again, also after a trim.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, Self


class LogError(Exception):
    """The log did not do what it was asked; the message says what, where, and what to do."""

    def again(self) -> Self:
        """Return it anew for another who waits: one raised many times gathers all their tracebacks."""
        return type(self)(*self.args)


class LogRefused(LogError):
    """It was not taken, nothing of it is or will be in the log, and the log goes on."""


class LogOutOfRange(LogRefused):
    """The offset is below the log's start or beyond its end."""


class LogLocked(LogRefused):
    """Another process has the log open."""


class LogAway(LogRefused):
    """The log's servers do not answer now, and may later."""


class LogUnknown(LogError):
    """An append of which nobody knows whether it is in the log."""


class LogFailed(LogError):
    """The log has failed for good: nothing is taken until the process starts again."""


class LogDamaged(LogFailed):
    """What the log keeps is not what was written; the message names the place."""


class Message(NamedTuple):
    """One message: its place in its partition, the log's stamp in milliseconds since 1970, its bytes."""

    offset: int
    stamp: int
    payload: bytes


class Log(Protocol):
    """A durable log. Every method is called on the event loop that it was opened on.

    Only durable messages are ever seen, and a message once seen stays, in its place, until a trim. Stamps
    never go back within a topic, not over restarts either.
    """

    @property
    def identity(self) -> str:
        """A name that no other log has and that never changes."""

    @property
    def partitions(self) -> int:
        """How many partitions every topic has."""

    def append(self, topic: str, partition: int, payload: bytes) -> asyncio.Future[int]:
        """Return a future of the message's offset, which resolves once the message is durable.

        Appends to one partition keep the order of the calls, and one that is cancelled may still be
        logged. The call itself never raises; the future may:
        LogRefused (too large, too much waiting, no such partition, disk full, closed), LogUnknown (the
        write began and its end was not seen), LogFailed.
        """

    def recent(self, topic: str, partition: int, offset: int, max_bytes: int) -> list[Message] | None:
        """Return messages from `offset` on if memory holds them, None if they must be fetched.

        Payloads sum up to at most `max_bytes`, or there is a single larger one. Empty at the log's end.
        Raises: LogOutOfRange beyond the end.
        """

    async def fetch(self, topic: str, partition: int, offset: int, max_bytes: int) -> list[Message]:
        """Return what `recent` would if memory held everything; never blocks the loop on a disk.

        At least one message if there is one. Raises: LogOutOfRange, LogDamaged, LogFailed, LogAway.
        """

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the offset of the first message kept and the offset the next message will have.

        Exact for what this process appended; of what others did it may be a moment behind.
        """

    async def measure(self, topic: str, partition: int) -> tuple[int, int]:
        """Return what `bounds` does, exact at the time of the call. Raises: LogAway."""

    def watch(self, topic: str, callback: Callable[[int], None]) -> Callable[[], None]:
        """Call `callback(partition)` on the loop after messages of that partition became readable.

        Once for a block of messages. The function returned ends it and may be called twice.
        """

    async def trim(self, topic: str, below: Mapping[int, int], older_than: int | None = None) -> int:
        """Drop messages below the given offset of their partition, and return the bytes that came free.

        Where `older_than` is given (milliseconds since 1970), only what was stamped before it goes. The
        log drops what is cheap to drop: less than allowed, never more. A partition that is not named
        keeps everything.
        """

    def size(self, topic: str) -> int:
        """Return the bytes the topic's messages take on disk."""

    def on_failure(self, callback: Callable[[LogFailed], None]) -> None:
        """Call `callback` once on the loop when the log fails for good; soon, if it has failed already."""

    async def close(self) -> None:
        """Make durable what was appended, then let go of everything. Bounded in time; may be repeated.

        What was not durable in time ends as LogUnknown.
        """
