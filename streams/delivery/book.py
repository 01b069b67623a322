"""What is owed to subscribers: the deliveries, how their attempts ended, and who keeps them."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from rules.alerting.delivery import next_attempt, verdict
from streams.delivery.webhook import Attempt

Outcome = Literal["delivered", "retry", "given_up", "disabled"]


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come. `attempt` counts the attempts made so far, `body` is what is sent."""

    notification_id: str
    subscription_id: str
    workspace: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    attempt: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settled:
    """How an attempt ended. `attempt` is its number from 1, `at` when it began, in ns since 1970.

    `next_at` (ns) is given if and only if the outcome is `retry`. `disabled`: the receiver wants nothing
    more, so the whole subscription is to be disabled.
    """

    notification_id: str
    subscription_id: str
    attempt: int
    at: int
    status: int | None
    error: str | None
    outcome: Outcome
    next_at: int | None


class DeliveryBook(Protocol):
    """Where deliveries that are owed are kept. Every method may raise Later and is then called again."""

    async def due(self, now_ns: int, limit: int, busy: frozenset[str]) -> list[Due]:
        """Return deliveries whose time is at or before `now_ns`, the longest due first, `limit` at most.

        Those of the subscriptions in `busy` and of disabled ones are left out. The same deliveries are
        returned until they are settled; where several couriers share them, to one of them.
        """
        ...

    async def next_due(self, now_ns: int) -> int | None:
        """Return the earliest time after `now_ns` at which a delivery falls due, or None."""
        ...

    async def recall(self, now_ns: int) -> int:
        """Make due what is dated later than its schedule can have it, since the clock went back.

        Returns how many there were.
        """
        ...

    async def settle(self, done: list[Settled]) -> None:
        """Keep how attempts ended, all or none.

        Kept twice is kept once. A delivery or subscription that is gone meanwhile is passed over.
        """
        ...


def settled(due: Due, attempt: Attempt, at: int, now: int, jitter: float) -> Settled:
    """Decide what becomes of a delivery: attempted at `at`, answered at `now` (ns), `jitter` in [-1, 1]."""
    made = due.attempt + 1
    outcome: Outcome
    delay: int | None = None
    match verdict(attempt.status):
        case "delivered":
            outcome = "delivered"
        case "disable":
            outcome = "disabled"
        case "retry":
            delay = next_attempt(made, jitter, attempt.retry_after)
            outcome = "given_up" if delay is None else "retry"
    return Settled(
        notification_id=due.notification_id,
        subscription_id=due.subscription_id,
        attempt=made,
        at=at,
        status=attempt.status,
        error=attempt.error,
        outcome=outcome,
        next_at=None if delay is None else now + delay,
    )
