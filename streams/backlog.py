"""What is in the log and not applied yet: bytes a partition, by workspace, and how old the oldest is."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from rules.errors import BACKLOG, Problem
from rules.names import fold


class _Waiting(NamedTuple):
    offset: int
    since: float
    sizes: dict[str, int]


class Backlog:
    """Counts what was appended and what persist has passed, per partition. Lives on one loop.

    `most` is the bytes a partition may hold (a workspace half of them), `oldest` the seconds its oldest
    entry may wait. What stood in the log when the process started is noted without a size: its age counts.
    `total` is the bytes that wait in all partitions, `taken` the bytes that were ever added.
    """

    def __init__(self, partitions: int, most: int, oldest: float) -> None:
        self._most = most
        self._oldest = oldest
        self._totals = [0] * partitions
        self.total = 0
        self.taken = 0
        self._waiting: list[deque[_Waiting]] = [deque() for _ in range(partitions)]
        self._sizes: list[dict[str, int]] = [{} for _ in range(partitions)]

    def added(self, partition: int, offset: int, now: float, sizes: dict[str, int]) -> None:
        """Note an envelope: `sizes` are its bytes by workspace."""
        self._waiting[partition].append(_Waiting(offset, now, sizes))
        held = self._sizes[partition]
        for workspace, size in sizes.items():
            held[workspace] = held.get(workspace, 0) + size
            self._totals[partition] += size
            self.total += size
            self.taken += size

    def passed(self, partition: int, next_offset: int) -> None:
        """Note that everything below `next_offset` is applied."""
        waiting, held = self._waiting[partition], self._sizes[partition]
        while waiting and waiting[0].offset < next_offset:
            for workspace, size in waiting.popleft().sizes.items():
                self._totals[partition] -= size
                self.total -= size
                left = held[workspace] - size
                if left:
                    held[workspace] = left
                else:
                    del held[workspace]

    def size(self, partition: int) -> int:
        """Return the bytes that wait in a partition."""
        return self._totals[partition]

    def age(self, partition: int, now: float) -> float:
        """Return how long the oldest entry of a partition has waited, in seconds."""
        waiting = self._waiting[partition]
        return now - waiting[0].since if waiting else 0.0

    def check(self, workspace: str, partitions: Iterable[int], now: float) -> None:
        """Let a write to these partitions pass, or say why it must wait.

        Raises: Problem(backlog).
        """
        name = fold(workspace)
        for partition in partitions:
            if not self._waiting[partition]:
                continue
            held = self._sizes[partition]
            size, age = self._totals[partition], self.age(partition, now)
            if size > self._most or age > self._oldest:
                raise Problem(
                    BACKLOG,
                    f"{size} bytes wait to be stored in partition {partition}, the oldest for {age:.0f} s.",
                    retry_after=2,
                )
            if held.get(name, 0) > self._most // 2:
                raise Problem(
                    BACKLOG,
                    f"The workspace has {held[name]} bytes waiting to be stored in partition {partition}, "
                    f"half of what all may have.",
                    retry_after=2,
                )
