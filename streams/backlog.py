"""What is in the log and not applied yet: bytes a partition, by workspace, and how old the oldest is."""

from collections import deque
from typing import Final, NamedTuple

from rules.errors import BACKLOG, Problem
from rules.names import fold

LOOK_EVERY: Final = 0.02
"""Seconds for which a verdict holds; what can come in meanwhile is bounded by the bytes in flight."""

REMEMBERED: Final = 10_000


class _Waiting(NamedTuple):
    offset: int
    since: float
    sizes: dict[str, int]


class Backlog:
    """Counts what was appended and what persist has passed, per partition. Lives on one loop.

    `most` is the bytes a partition may hold (a workspace half of them), `oldest` the seconds its oldest
    entry may wait. What stood in the log when the process started counts by its age only.
    """

    def __init__(self, partitions: int, most: int, oldest: float) -> None:
        self._most = most
        self._oldest = oldest
        self._fine: dict[str, float] = {}
        self._waiting: list[deque[_Waiting]] = [deque() for _ in range(partitions)]
        self._sizes: list[dict[str, int]] = [{} for _ in range(partitions)]

    def added(self, partition: int, offset: int, now: float, sizes: dict[str, int]) -> None:
        """Note an envelope: `sizes` are its bytes by workspace."""
        self._waiting[partition].append(_Waiting(offset, now, sizes))
        held = self._sizes[partition]
        for workspace, size in sizes.items():
            held[workspace] = held.get(workspace, 0) + size
            if held[workspace] > self._most // 4:
                self._fine.clear()

    def passed(self, partition: int, next_offset: int) -> None:
        """Note that everything below `next_offset` is applied."""
        waiting, held = self._waiting[partition], self._sizes[partition]
        while waiting and waiting[0].offset < next_offset:
            for workspace, size in waiting.popleft().sizes.items():
                left = held[workspace] - size
                if left:
                    held[workspace] = left
                else:
                    del held[workspace]

    def size(self, partition: int) -> int:
        """Return the bytes that wait in a partition."""
        return sum(self._sizes[partition].values())

    def age(self, partition: int, now: float) -> float:
        """Return how long the oldest entry of a partition has waited, in seconds."""
        waiting = self._waiting[partition]
        return now - waiting[0].since if waiting else 0.0

    def check(self, workspace: str, now: float) -> None:
        """Let a write pass, or say why it must wait.

        Raises: Problem(backlog).
        """
        name = fold(workspace)
        if now < self._fine.get(name, 0.0):
            return
        for partition, held in enumerate(self._sizes):
            if not held:
                continue
            if sum(held.values()) > self._most or self.age(partition, now) > self._oldest:
                raise Problem(
                    BACKLOG,
                    f"{self.size(partition)} bytes wait to be stored in partition {partition}, the oldest "
                    f"for {self.age(partition, now):.0f} s.",
                    retry_after=2,
                )
            if held.get(name, 0) > self._most // 2:
                raise Problem(
                    BACKLOG,
                    f"The workspace has {held[name]} bytes waiting to be stored in partition {partition}, "
                    f"half of what all may have.",
                    retry_after=2,
                )
        if len(self._fine) > REMEMBERED:
            self._fine.clear()
        self._fine[name] = now + LOOK_EVERY
