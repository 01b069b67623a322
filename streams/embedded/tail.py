"""The newest messages of a topic, in memory, so that whoever keeps up never touches the disk."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from streams.log import Message

_OVERHEAD: Final = 160
"""Bytes a message costs beside its payload: the tuple, its numbers, its place in the queues."""


class Tail:
    """The newest blocks of a topic up to `limit` bytes, and always the newest one. For one thread.

    `ends` are the offsets after the messages that were there before.
    """

    def __init__(self, ends: Sequence[int], limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._blocks: deque[tuple[int, dict[int, int]]] = deque()
        self._messages: list[deque[Message]] = [deque() for _ in ends]
        self._ends = list(ends)

    def add(self, block: Sequence[tuple[int, Message]]) -> set[int]:
        """Take in the (partition, message) of a block, and return the partitions it had messages of."""
        counts: dict[int, int] = {}
        size = 0
        for partition, message in block:
            self._messages[partition].append(message)
            self._ends[partition] = message.offset + 1
            counts[partition] = counts.get(partition, 0) + 1
            size += len(message.payload) + _OVERHEAD
        self._blocks.append((size, counts))
        self._size += size
        self._shrink()
        return set(counts)

    def end(self, partition: int) -> int:
        """Return the offset after the newest message."""
        return self._ends[partition]

    def recent(self, partition: int, offset: int, max_bytes: int) -> list[Message] | None:
        """Return messages from `offset` (at most the end) on, None if it is older than all that is here."""
        messages = self._messages[partition]
        at = len(messages) - (self._ends[partition] - offset)
        if at < 0:
            return None
        found: list[Message] = []
        size = 0
        for position in range(at, len(messages)):
            message = messages[position]
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
                for _ in range(count):
                    self._messages[partition].popleft()
