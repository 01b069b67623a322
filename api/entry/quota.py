"""Quotas: how many records and bytes a second one token may write (429 past it)."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rules.errors import QUOTA, Problem

TOKENS: Final = 10_000
BURST: Final = 2.0
"""Seconds' worth of the quota that may be used at once."""


class _Bucket:
    """Fills at `rate` a second up to `BURST` seconds' worth, and is overdrawn by what is under way."""

    __slots__ = ("at", "level", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.level = rate * BURST
        self.at = now

    def wait(self, now: float) -> float:
        """Return the seconds until it is not overdrawn any more."""
        self.level = min(self.rate * BURST, self.level + (now - self.at) * self.rate)
        self.at = now
        return 0.0 if self.level > 0 else -self.level / self.rate + 1 / self.rate

    def take(self, amount: float) -> None:
        self.level -= amount


@dataclass(slots=True)
class Counted:
    """What was taken of a body, in bytes: nothing, until somebody says so."""

    size: int = 0


class Quota:
    """Counts what each token writes. `records` and `size` (bytes) are a second, 0 for any."""

    def __init__(self, records: int, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = (records, size)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[_Bucket | None, _Bucket | None]] = OrderedDict()
        self._any = records > 0 or size > 0

    def check(self, token: str) -> None:
        """Let a write pass, or say when it may come again.

        Raises: Problem(quota) with Retry-After.
        """
        if not self._any:
            return
        now = self._clock()
        for bucket, what in zip(self._of(token, now), ("records", "bytes"), strict=True):
            wait = 0.0 if bucket is None else bucket.wait(now)
            if wait > 0 and bucket is not None:
                raise Problem(
                    QUOTA,
                    f"The token may write {bucket.rate:g} {what} a second; wait {wait:.1f} s.",
                    retry_after=max(1, math.ceil(wait)),
                )

    def book(self, token: str, headers: Mapping[bytes, bytes]) -> int:
        """Count the bytes that a body says it is going to have, and return them; 0 where that is not certain.

        So that of many bodies under way at once those pass that the quota allows, and the others are told
        before they are read. `spend` then counts the rest, or gives back what was not taken.
        """
        if not self._rates[1] or b"content-encoding" in headers:
            return 0
        declared = headers.get(b"content-length", b"")
        size = int(declared) if declared.isdigit() else 0
        self.spend(token, 0, size)
        return size

    @contextmanager
    def counting(self, token: str, headers: Mapping[bytes, bytes]) -> Iterator["Counted"]:
        """Let a body pass, and book it; what is said to have been taken counts in its place in the end.

        Raises: Problem(quota) with Retry-After.
        """
        self.check(token)
        booked, counted = self.book(token, headers), Counted()
        try:
            yield counted
        finally:
            self.spend(token, 0, counted.size - booked)

    def spend(self, token: str, records: int, size: int) -> None:
        """Count what a token wrote; a `size` below 0 gives bytes back that were booked."""
        if self._any:
            for bucket, amount in zip(self._of(token, self._clock()), (records, size), strict=True):
                if bucket is not None:
                    bucket.take(amount)

    def _of(self, token: str, now: float) -> tuple[_Bucket | None, _Bucket | None]:
        found = self._buckets.get(token)
        if found is None:
            records, size = (_Bucket(rate, now) if rate > 0 else None for rate in self._rates)
            found = self._buckets[token] = (records, size)
            if len(self._buckets) > TOKENS:
                self._buckets.popitem(last=False)
        return found
