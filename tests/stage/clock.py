"""A clock that stands still until it is told to move."""

from dataclasses import dataclass

NOON = 1_767_225_600 * 10**9 + 43_200 * 10**9
"""2026-01-01T12:00:00Z in nanoseconds since 1970."""


@dataclass(slots=True)
class Clock:
    """Called, it gives nanoseconds since 1970; `seconds` gives the same as a float."""

    now: int = NOON

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        """Return seconds since 1970."""
        return self.now / 10**9

    def advance(self, seconds: float) -> int:
        """Move by `seconds`, backwards too, and return the new time in nanoseconds."""
        self.now += round(seconds * 10**9)
        return self.now
