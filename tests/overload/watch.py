"""Resident memory, looked at each second, and whether it stays where it is."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from tests.bench.usage import resident_bytes

MB: Final = 1024 * 1024
FLAT: Final = 0.05
"""Share of its mean by which memory may have grown over the time looked at, by the line through it."""
MOST: Final = 600.0
"""Megabytes it may have at any moment: what its settings bound, its tables in memory, and Python itself."""


@dataclass(slots=True)
class Memory:
    """Megabytes, one a second from the start of a load."""

    seen: list[float] = field(default_factory=list)

    async def watch(self, pid: int) -> None:
        """Look each second, until cancelled."""
        while True:
            self.seen.append(resident_bytes(pid) / MB)
            await asyncio.sleep(1.0)

    def since(self, second: int) -> "Flatness":
        """Return how flat it was from a second on."""
        return flatness(self.seen[second:] or self.seen)


@dataclass(frozen=True, slots=True)
class Flatness:
    """The least and the most MB, and the slope of the line through all, in MB a minute."""

    least: float
    most: float
    slope: float
    grown: float

    @property
    def flat(self) -> bool:
        """Whether it does not grow, by more than the noise of what is in flight."""
        return self.grown <= FLAT


def flatness(seen: list[float]) -> Flatness:
    """Return the flatness of MB looked at each second: the line is that of least squares."""
    middle, mean = (len(seen) - 1) / 2, sum(seen) / len(seen)
    spread = sum((x - middle) ** 2 for x in range(len(seen))) or 1.0
    slope = sum((x - middle) * (y - mean) for x, y in enumerate(seen)) / spread
    return Flatness(min(seen), max(seen), slope * 60, slope * len(seen) / mean)
