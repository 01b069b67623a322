"""The delivery book over the store."""

from typing import Final

from msgspec import Raw
from sqlalchemy import Connection

from rules.schema.moments import format_moment
from storage import deliveries, subscriptions
from storage.deliveries import Hold, Owed, Tried
from storage.store import Store
from streams.awaiting import on_loop
from streams.delivery.book import Due, Settled
from streams.delivery.webhook import webhook_body

HOLD: Final = 30 * 1_000_000_000
"""Nanoseconds that a courier has a delivery for itself; an attempt takes 15 s at most."""


class StoreBook:
    """`streams.delivery.book.DeliveryBook`, kept in the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def due(self, now_ns: int, limit: int, busy: frozenset[str]) -> list[Due]:
        owed = await on_loop(self._store.read(lambda c: deliveries.due(c, now_ns, limit, busy)))
        return [_due(one) for one in owed]

    async def next_due(self, now_ns: int) -> int | None:
        return await on_loop(self._store.read(lambda c: deliveries.next_due(c, now_ns)))

    async def recall(self, now_ns: int) -> int:
        return await on_loop(self._store.write(lambda c: deliveries.recall(c, now_ns)))

    async def settle(self, done: list[Settled]) -> None:
        tried = [
            Tried(
                one.notification_id,
                one.subscription_id,
                one.attempt,
                one.at,
                one.status,
                one.error,
                one.outcome,
                one.next_at,
            )
            for one in done
        ]
        over = {one.subscription_id: one for one in done if one.outcome == "disabled"}

        def body(c: Connection) -> None:
            deliveries.settle(c, tried)
            for one in over.values():
                reason = f"the receiver answered {one.status} on {format_moment(one.at)}"
                subscriptions.disable(c, one.subscription_id, reason)

        await on_loop(self._store.write(body))


class SharedBook(StoreBook):
    """The book of one of several couriers: what one holds the others leave alone, for `HOLD` at a time.

    An attempt ends long before; so only what a courier left behind that has died comes to another one.
    `owner` is the number of this process's run.
    """

    def __init__(self, store: Store, owner: int) -> None:
        super().__init__(store)
        self._owner = owner

    async def due(self, now_ns: int, limit: int, busy: frozenset[str]) -> list[Due]:
        hold = Hold(self._owner, now_ns + HOLD)
        owed = await on_loop(self._store.write(lambda c: deliveries.held(c, hold, now_ns, limit, busy)))
        return [_due(one) for one in owed]

    async def let_go(self) -> None:
        """Leave what is not settled to the others. Raises: Later."""
        await on_loop(self._store.write(lambda c: deliveries.let_go(c, self._owner)))


def _due(one: Owed) -> Due:
    return Due(
        notification_id=one.notification_id,
        subscription_id=one.subscription_id,
        workspace=one.workspace,
        url=one.url,
        secret=one.secret,
        attempt=one.attempt,
        body=webhook_body(
            "resolved" if one.change == "resolved" else "firing", one.at, Raw(one.body.encode())
        ),
    )
