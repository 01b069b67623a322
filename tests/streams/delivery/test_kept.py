"""The book over the store keeps the laws; what is asked for again during an attempt is attempted again."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from rules.alerting.alert import Alert, Notification
from rules.alerting.subscription import Subscription
from storage import alerts, deliveries, subscriptions
from storage.store import Store
from streams.delivery.kept import HOLD, SharedBook, StoreBook
from tests.conformance.delivery_book import NOW, SECOND, DeliveryBookLaws, Ledger, ended, names
from tests.storage.database import opened
from tests.streams.delivery.memory_book import SECRET


class StoreLedger:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.book: StoreBook = StoreBook(store)

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


class SharedLedger(StoreLedger):
    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.book = self.another(1)

    def another(self, owner: int) -> SharedBook:
        return SharedBook(self.store, owner)


class TestSharedBook(DeliveryBookLaws):
    @pytest.fixture
    def ledger(self, shared: SharedLedger) -> Ledger:
        return shared


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedLedger]:
    with opened(tmp_path / "test.db") as store:
        yield SharedLedger(store)


async def test_what_one_courier_holds_another_leaves_alone_until_it_is_settled(shared: SharedLedger) -> None:
    for number in range(6):
        await shared.owe("s", f"n{number}", NOW - 6 + number)
    other = shared.another(2)
    mine = await shared.book.due(NOW, 4, frozenset())
    assert await names(other) == ["s/n4", "s/n5"]
    await shared.book.settle([ended(mine[0], "retry", NOW + SECOND), ended(mine[1], "delivered")])
    assert await names(other, NOW + SECOND) == ["s/n4", "s/n5", "s/n0"]
    assert await names(shared.book, NOW + SECOND) == ["s/n2", "s/n3"]


async def test_what_a_courier_held_that_died_comes_to_another_one(shared: SharedLedger) -> None:
    await shared.owe("s", "n", NOW)
    (due,) = await shared.book.due(NOW, 10, frozenset())
    other = shared.another(2)
    assert await names(other, NOW + HOLD - 1) == []
    assert await other.due(NOW + HOLD, 10, frozenset()) == [due]
    assert await names(shared.book, NOW + HOLD + 1) == []


async def test_who_asks_again_holds_on(shared: SharedLedger) -> None:
    await shared.owe("s", "n", NOW)
    for step in range(5):
        assert await names(shared.book, NOW + step * HOLD // 2 + step) == ["s/n"]
    assert await names(shared.another(2), NOW + 2 * HOLD) == []


async def test_what_is_let_go_is_free_at_once(shared: SharedLedger) -> None:
    await shared.owe("s", "n", NOW)
    await shared.book.due(NOW, 10, frozenset())
    await shared.another(2).let_go()
    assert await names(shared.another(3)) == []
    book = shared.book
    assert isinstance(book, SharedBook)
    await book.let_go()
    assert await names(shared.another(3)) == ["s/n"]


async def test_many_couriers_at_once_hold_each_delivery_once(shared: SharedLedger) -> None:
    for number in range(60):
        await shared.owe(f"s{number % 3}", f"n{number}", NOW - number)
    books = [shared.another(owner) for owner in range(1, 7)]
    taken = await asyncio.gather(*(book.due(NOW, 10, frozenset()) for book in books for _ in range(2)))
    by_owner = [
        {due.notification_id for page in taken[2 * place : 2 * place + 2] for due in page}
        for place in range(len(books))
    ]
    assert sum(map(len, by_owner)) == len(set().union(*by_owner))
    assert set().union(*by_owner) == {f"n{number}" for number in range(60)}


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


async def test_one_outcome_told_twice_together_is_kept_once_and_the_later_attempt_holds(
    stored: StoreLedger,
) -> None:
    await stored.owe("s", "n", NOW)
    (due,) = await stored.book.due(NOW, 10, frozenset())
    first, second = ended(due, "retry", NOW + SECOND), ended(replace(due, attempt=1), "delivered")
    await stored.book.settle([first, first, second, first])
    assert await names(stored.book, NOW + SECOND) == []
    tried = stored.store.read(lambda c: deliveries.attempts(c, "s", 10)).result(5)
    assert [(one["attempt"], one["status"], one["state"]) for one in tried] == [
        (2, 204, "delivered"),
        (1, 500, "delivered"),
    ]


async def test_many_outcomes_are_kept_in_as_many_statements_as_few(stored: StoreLedger) -> None:
    said: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    took = []
    for count in (2, 100):
        for number in range(count):
            await stored.owe("s", f"n{count}-{number}", NOW)
        found = await stored.book.due(NOW, 100, frozenset())
        said.clear()
        event.listen(Engine, "before_cursor_execute", note)
        try:
            await stored.book.settle([ended(due, "delivered") for due in found])
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        assert await names(stored.book) == []
        took.append(len(said))
    assert took[0] == took[1] <= 5, said
