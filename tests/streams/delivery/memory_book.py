"""A DeliveryBook in memory, for tests of the courier."""

from asyncio import Condition, timeout
from dataclasses import dataclass, field, replace

from rules.alerting.delivery import longest_wait
from streams.delivery.book import Due, Settled

SECRET = "whsec_" + "c2x1aWNlIHRlc3RzIHNpZ24gd2l0aCB0aGlzIQ=="


@dataclass
class Row:
    """A delivery and when it is due; None: owed no more."""

    due: Due
    at: int | None


@dataclass
class MemoryBook:
    """Deliveries in a dict. `rows_read` counts what `due` returned, `history` holds what was settled."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    history: list[Settled] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)
    rows_read: int = 0
    kept: Condition = field(default_factory=Condition)

    def add(self, subscription: str, notification: str, at: int, url: str, secret: str = SECRET) -> None:
        """Owe a delivery that was never attempted."""
        due = Due(
            notification_id=notification,
            subscription_id=subscription,
            workspace="acme",
            url=url,
            secret=secret,
            attempt=0,
            body=b'{"type":"alert.firing"}',
        )
        self.rows[subscription, notification] = Row(due, at)

    async def due(self, now_ns: int, limit: int, busy: frozenset[str]) -> list[Due]:
        hidden = busy | self.disabled
        found = sorted(
            (row.at, number, row.due)
            for number, row in enumerate(self.rows.values())
            if row.at is not None and row.at <= now_ns and row.due.subscription_id not in hidden
        )[:limit]
        self.rows_read += len(found)
        return [due for _, _, due in found]

    async def next_due(self, now_ns: int) -> int | None:
        return min(
            (
                row.at
                for row in self.rows.values()
                if row.at is not None and row.at > now_ns and row.due.subscription_id not in self.disabled
            ),
            default=None,
        )

    async def recall(self, now_ns: int) -> int:
        late = [
            row
            for row in self.rows.values()
            if row.at is not None and row.at > now_ns + longest_wait(row.due.attempt)
        ]
        for row in late:
            row.at = now_ns
        return len(late)

    async def settle(self, done: list[Settled]) -> None:
        async with self.kept:
            for end in done:
                row = self.rows.get((end.subscription_id, end.notification_id))
                if row is None or row.due.attempt != end.attempt - 1:
                    continue
                row.due = replace(row.due, attempt=end.attempt)
                row.at = end.next_at
                self.history.append(end)
                if end.outcome == "disabled":
                    self.disabled.add(end.subscription_id)
            self.kept.notify_all()

    async def until_settled(self, count: int, within: float = 5.0) -> None:
        """Wait until `count` attempts are kept; fail after `within` seconds."""
        async with timeout(within), self.kept:
            await self.kept.wait_for(lambda: len(self.history) == count)
