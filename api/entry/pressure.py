"""Whether there is room for another write: backlog behind the store, and free disk."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from rules.errors import DISK_LOW, STOPPING, Problem
from streams.backlog import Backlog

DRAIN: Final = 4
"""Bytes that storing a byte of the log takes: its event, its row, the row in the WAL, and their overhead."""

AGAIN_AFTER: Final = 1024 * 1024
"""Bytes taken after which free disk is asked again: a quick client alone fills in a second what is left."""


class Pressure:
    """Asked by every write before its body is read. `free` tells free disk in bytes.

    `least` bytes stay free, and besides them what it takes to store what the log is ahead of the store: so
    that can always be done, whatever comes. Free disk is asked each second, and each AGAIN_AFTER bytes.
    """

    def __init__(self, backlog: Backlog, free: Callable[[], int], least: int) -> None:
        self._backlog = backlog
        self._free = free
        self._least = least
        self._looked = 0.0
        self._taken = 0
        self._left = least
        self.closed = False

    def check(self, workspace: str, partitions: Iterable[int]) -> None:
        """Let a write to these partitions pass.

        Raises: Problem(stopping, disk_low, backlog).
        """
        if self.closed:
            raise Problem(STOPPING, "The broker is stopping; send the write again in a moment.")
        now = time.monotonic()
        taken = self._backlog.taken
        if now - self._looked >= 1.0 or taken - self._taken >= AGAIN_AFTER:
            self._looked, self._taken = now, taken
            self._left = self._free()
        needed = self._least + DRAIN * self._backlog.total
        if self._left < needed:
            raise Problem(
                DISK_LOW,
                f"{self._left} bytes are free on the broker's disk; it takes writes from {needed} on.",
                retry_after=10,
            )
        self._backlog.check(workspace, partitions, now)
