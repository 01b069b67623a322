"""The book over the store keeps the laws; what is asked for again during an attempt is attempted again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.alerting.alert import Alert, Notification
from rules.alerting.subscription import Subscription
from storage import alerts, deliveries, subscriptions
from storage.store import Store
from streams.delivery.kept import StoreBook
from tests.conformance.delivery_book import NOW, SECOND, DeliveryBookLaws, Ledger, ended, names
from tests.storage.database import opened
from tests.streams.delivery.memory_book import SECRET


class StoreLedger:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.book = StoreBook(store)

    async def owe(self, subscription: str, notification: str, at: int) -> None:
        event = {"x": 1}
        alert = Alert(notification, "r", 1, "acme", "d", {}, "firing", "info", "m", at, event, "p")
        wish = Subscription(
            subscription, "acme", "webhook", "https://example.com/hook", None, None, SECRET, None, 1
        )

        def body(c: object) -> None:
            if subscriptions.find(c, "acme", subscription) is None:  # type: ignore[arg-type]
                subscriptions.keep(c, wish)  # type: ignore[arg-type]
            alerts.keep(c, [], [Notification(notification, alert, "firing", at)])  # type: ignore[arg-type]
            deliveries.owe(c, [(notification, subscription)], at)  # type: ignore[arg-type]

        self.store.write(body).result(5)  # type: ignore[arg-type]

    def again(self, subscription: str, notification: str, now: int) -> bool:
        return self.store.write(lambda c: deliveries.again(c, notification, subscription, now)).result(5)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoreLedger]:
    with opened(tmp_path / "test.db") as store:
        yield StoreLedger(store)


class TestStoreBook(DeliveryBookLaws):
    @pytest.fixture
    def ledger(self, stored: StoreLedger) -> Ledger:
        return stored


@pytest.mark.parametrize("outcome", ["delivered", "given_up"])
async def test_what_is_asked_for_again_during_an_attempt_stays_due_when_that_ends(
    stored: StoreLedger, outcome: str
) -> None:
    await stored.owe("s", "n", NOW - SECOND)
    (due,) = await stored.book.due(NOW, 10, frozenset())
    assert stored.again("s", "n", NOW + 1)
    await stored.book.settle([ended(due, outcome)])  # type: ignore[arg-type]
    assert await names(stored.book, NOW + 1) == ["s/n"]
    (once_more,) = await stored.book.due(NOW + 1, 10, frozenset())
    assert once_more.attempt == 1
    await stored.book.settle([ended(once_more, "delivered")])
    assert await names(stored.book, NOW + SECOND) == []
    tried = stored.store.read(lambda c: deliveries.attempts(c, "s", 10)).result(5)
    assert [(one["attempt"], one["state"]) for one in tried] == [(2, "delivered"), (1, "delivered")]


async def test_what_is_asked_for_again_before_an_attempt_is_settled_by_it(stored: StoreLedger) -> None:
    await stored.owe("s", "n", NOW - SECOND)
    assert stored.again("s", "n", NOW - 1)
    (due,) = await stored.book.due(NOW, 10, frozenset())
    await stored.book.settle([ended(due, "delivered")])
    assert await names(stored.book, NOW + SECOND) == []
    assert not stored.again("s", "never owed", NOW)
    assert not stored.again("another", "n", NOW)
