"""The newest messages of a topic, in memory, so that whoever keeps up never touches the disk."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from streams.log import Message

_OVERHEAD: Final = 160
"""Bytes a message costs beside its payload: the tuple, its numbers, its place in the lists."""


class _Run:
    """The newest messages of one partition without a gap: those before `skip` are gone."""

    __slots__ = ("end", "messages", "skip")

    def __init__(self, end: int) -> None:
        self.end = end
        self.messages: list[Message] = []
        self.skip = 0

    def drop(self, count: int) -> None:
        self.skip += count
        # Cutting only when half is gone moves each message once, whatever the length.
        if 2 * self.skip >= len(self.messages):
            del self.messages[: self.skip]
            self.skip = 0


class Tail:
    """The newest blocks of a topic up to `limit` bytes, and always the newest one. For one thread."""

    def __init__(self, ends: Sequence[int], limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._blocks: deque[tuple[int, dict[int, int]]] = deque()
        self._runs = [_Run(end) for end in ends]

    def add(self, block: Sequence[tuple[int, Message]]) -> set[int]:
        """Take in the (partition, message) of a block, and return the partitions it had messages of."""
        counts: dict[int, int] = {}
        size = 0
        for partition, message in block:
            run = self._runs[partition]
            run.messages.append(message)
            run.end = message.offset + 1
            counts[partition] = counts.get(partition, 0) + 1
            size += len(message.payload) + _OVERHEAD
        self._blocks.append((size, counts))
        self._size += size
        self._shrink()
        return set(counts)

    def end(self, partition: int) -> int:
        """Return the offset after the newest message."""
        return self._runs[partition].end

    def recent(self, partition: int, offset: int, max_bytes: int) -> list[Message] | None:
        """Return messages from `offset` (at most the end) on, None if it is older than all that is here."""
        run = self._runs[partition]
        at = len(run.messages) - (run.end - offset)
        if at < run.skip:
            return None
        found: list[Message] = []
        size = 0
        for position in range(at, len(run.messages)):
            message = run.messages[position]
            size += len(message.payload)
            if size > max_bytes and found:
                break
            found.append(message)
        return found

    def _shrink(self) -> None:
        while self._size > self._limit and len(self._blocks) > 1:
            size, counts = self._blocks.popleft()
            self._size -= size
            for partition, count in counts.items():
                self._runs[partition].drop(count)
