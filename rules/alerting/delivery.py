"""When a delivery is tried again, and what an answer means for it.

The schedule, the jitter and the bounds on Retry-After are Svix's; what the status codes mean is from
Standard Webhooks 1.0.
"""

from typing import Final, Literal

Verdict = Literal["delivered", "retry", "disable"]

SECOND: Final = 1_000_000_000

RETRY_SECONDS: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""Seconds from the n-th failed attempt to the next one; after the last of them the delivery is given up."""

JITTER: Final = 0.2
"""The share of a wait by which it may be shorter or longer, so that retries spread out."""


def next_attempt(attempt: int, jitter: float, retry_after: float | None) -> int | None:
    """Return the nanoseconds from the failure of the `attempt`-th try (1 is the first) to the next try.

    `jitter` in [-1, 1] is the caller's chance; it moves the wait by ±20 %. `retry_after` is what the
    receiver asked for in seconds: it is honoured between the wait of the schedule and twice that, and
    then chance only adds to it, so that nobody comes earlier than was asked. None: given up.

    Raises: ValueError where `attempt` is below 1.
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    if attempt > len(RETRY_SECONDS):
        return None
    base = RETRY_SECONDS[attempt - 1]
    spread = JITTER * min(1.0, max(-1.0, jitter))
    # NaN compares with nothing, so a nonsensical header falls back to the schedule here.
    if retry_after is not None and retry_after >= 0:
        seconds = min(2.0 * base, max(float(base), retry_after * (1 + abs(spread))))
    else:
        seconds = base * (1 + spread)
    return round(seconds * SECOND)


def longest_wait(attempt: int) -> int:
    """Return the nanoseconds after which a delivery of which `attempt` tries were made is surely due.

    One that is due later than that was dated by a clock that has gone back since.
    """
    return 2 * RETRY_SECONDS[min(max(attempt, 1), len(RETRY_SECONDS)) - 1] * SECOND


def verdict(status: int | None) -> Verdict:
    """Return what an HTTP status (None: no answer came) means for the delivery.

    Only 2xx is success; 410 says that nobody wants deliveries there any more; all else is tried again,
    redirects too, since they are not followed.
    """
    if status is None:
        return "retry"
    if 200 <= status < 300:
        return "delivered"
    return "disable" if status == 410 else "retry"
