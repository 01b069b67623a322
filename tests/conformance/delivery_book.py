"""What the courier relies on in a DeliveryBook: one suite, run on every implementation.

To run it, subclass `DeliveryBookLaws` in a test module under a name that starts with `Test` and give it a
fixture `ledger` whose value is a fresh `Ledger`.
"""

from dataclasses import replace
from typing import Protocol

from streams.delivery.book import DeliveryBook, Due, Outcome, Settled

NOW = 1_800_000_000_000_000_000
SECOND = 1_000_000_000
NOBODY: frozenset[str] = frozenset()


class Ledger(Protocol):
    """An empty book and the means to owe something in it."""

    book: DeliveryBook

    async def owe(self, subscription: str, notification: str, at: int) -> None:
        """Add a delivery that was never attempted and is due at `at`; make the subscription if need be."""
        ...


def ended(due: Due, outcome: Outcome, next_at: int | None = None) -> Settled:
    """Return how an attempt of `due` ended at NOW."""
    status = {"delivered": 204, "disabled": 410}.get(outcome, 500)
    return Settled(
        notification_id=due.notification_id,
        subscription_id=due.subscription_id,
        attempt=due.attempt + 1,
        at=NOW,
        status=status,
        error=None if outcome == "delivered" else f"The receiver answered {status}.",
        outcome=outcome,
        next_at=next_at,
    )


async def names(
    book: DeliveryBook, now: int = NOW, limit: int = 100, busy: frozenset[str] = NOBODY
) -> list[str]:
    """Return what is due as `subscription/notification`, in the order of the book."""
    return [f"{due.subscription_id}/{due.notification_id}" for due in await book.due(now, limit, busy)]


class DeliveryBookLaws:
    """The laws; each begins with an empty ledger."""

    async def test_an_empty_book_owes_nothing(self, ledger: Ledger) -> None:
        assert await ledger.book.due(NOW, 10, NOBODY) == []
        assert await ledger.book.next_due(NOW) is None
        await ledger.book.settle([])

    async def test_what_is_due_comes_complete_and_with_the_longest_due_first(self, ledger: Ledger) -> None:
        await ledger.owe("s1", "second", NOW - 1)
        await ledger.owe("s2", "third", NOW)
        await ledger.owe("s1", "first", NOW - SECOND)
        found = await ledger.book.due(NOW, 10, NOBODY)
        assert [due.notification_id for due in found] == ["first", "second", "third"]
        assert all(due.attempt == 0 and due.body and due.secret and due.url for due in found)

    async def test_what_is_not_due_yet_is_left_out_and_tells_when_to_look_again(self, ledger: Ledger) -> None:
        await ledger.owe("s1", "now", NOW)
        await ledger.owe("s1", "later", NOW + 2 * SECOND)
        await ledger.owe("s2", "soon", NOW + 1)
        assert await names(ledger.book) == ["s1/now"]
        assert await ledger.book.next_due(NOW) == NOW + 1
        assert await ledger.book.next_due(NOW + 1) == NOW + 2 * SECOND
        assert await ledger.book.next_due(NOW + 2 * SECOND) is None

    async def test_no_more_than_the_limit_is_returned(self, ledger: Ledger) -> None:
        for number in range(5):
            await ledger.owe("s1", f"n{number}", NOW - 5 + number)
        assert await names(ledger.book, limit=3) == ["s1/n0", "s1/n1", "s1/n2"]

    async def test_a_subscription_without_a_free_place_hides_nobody_else(self, ledger: Ledger) -> None:
        for number in range(50):
            await ledger.owe("flood", f"n{number}", NOW - SECOND)
        await ledger.owe("quiet", "only", NOW)
        assert await names(ledger.book, limit=10, busy=frozenset({"flood"})) == ["quiet/only"]
        assert await names(ledger.book, limit=10, busy=frozenset({"flood", "quiet"})) == []

    async def test_asking_changes_nothing(self, ledger: Ledger) -> None:
        await ledger.owe("s1", "n1", NOW)
        assert await ledger.book.due(NOW, 10, NOBODY) == await ledger.book.due(NOW, 10, NOBODY)

    async def test_what_was_delivered_is_owed_no_more(self, ledger: Ledger) -> None:
        await ledger.owe("s1", "n1", NOW)
        await ledger.owe("s1", "n2", NOW)
        first, *_ = await ledger.book.due(NOW, 1, NOBODY)
        await ledger.book.settle([ended(first, "delivered")])
        assert await names(ledger.book) == [
            name for name in ("s1/n1", "s1/n2") if first.notification_id not in name
        ]

    async def test_one_notification_is_owed_to_each_subscription_of_its_own(self, ledger: Ledger) -> None:
        await ledger.owe("s1", "n1", NOW)
        await ledger.owe("s2", "n1", NOW + 1)
        first, _ = await ledger.book.due(NOW + 1, 10, NOBODY)
        await ledger.book.settle([ended(first, "delivered")])
        assert await names(ledger.book, NOW + 1) == ["s2/n1"]

    async def test_a_retry_is_due_at_its_time_with_the_same_body_and_one_attempt_more(
        self, ledger: Ledger
    ) -> None:
        await ledger.owe("s1", "n1", NOW)
        (due,) = await ledger.book.due(NOW, 10, NOBODY)
        await ledger.book.settle([ended(due, "retry", NOW + 5 * SECOND)])
        assert await names(ledger.book, NOW + 5 * SECOND - 1) == []
        assert await ledger.book.next_due(NOW) == NOW + 5 * SECOND
        assert await ledger.book.due(NOW + 5 * SECOND, 10, NOBODY) == [replace(due, attempt=1)]

    async def test_what_was_given_up_is_owed_no_more(self, ledger: Ledger) -> None:
        await ledger.owe("s1", "n1", NOW)
        (due,) = await ledger.book.due(NOW, 10, NOBODY)
        await ledger.book.settle([ended(due, "given_up")])
        assert await names(ledger.book, NOW + 10**18) == []
        assert await ledger.book.next_due(NOW - 1) is None

    async def test_a_disabled_subscription_is_owed_nothing_and_others_all(self, ledger: Ledger) -> None:
        await ledger.owe("gone", "n1", NOW)
        await ledger.owe("gone", "n2", NOW)
        await ledger.owe("gone", "n3", NOW + SECOND)
        await ledger.owe("there", "n1", NOW)
        due = next(due for due in await ledger.book.due(NOW, 10, NOBODY) if due.subscription_id == "gone")
        await ledger.book.settle([ended(due, "disabled")])
        assert await names(ledger.book, NOW + SECOND) == ["there/n1"]
        assert await ledger.book.next_due(NOW) is None

    async def test_settling_twice_is_settling_once(self, ledger: Ledger) -> None:
        await ledger.owe("s1", "n1", NOW)
        (due,) = await ledger.book.due(NOW, 10, NOBODY)
        outcome = ended(due, "retry", NOW + SECOND)
        await ledger.book.settle([outcome])
        await ledger.book.settle([outcome])
        assert await ledger.book.due(NOW + SECOND, 10, NOBODY) == [replace(due, attempt=1)]

    async def test_a_repeat_that_comes_late_changes_nothing(self, ledger: Ledger) -> None:
        await ledger.owe("s1", "n1", NOW)
        (due,) = await ledger.book.due(NOW, 10, NOBODY)
        first = ended(due, "retry", NOW + SECOND)
        await ledger.book.settle([first])
        await ledger.book.settle([ended(replace(due, attempt=1), "delivered")])
        await ledger.book.settle([first])
        assert await names(ledger.book, NOW + 10**18) == []

    async def test_many_are_settled_together(self, ledger: Ledger) -> None:
        for number in range(100):
            await ledger.owe(f"s{number % 7}", f"n{number}", NOW)
        found = await ledger.book.due(NOW, 100, NOBODY)
        await ledger.book.settle([ended(due, "delivered") for due in found[:60]])
        left = {(due.subscription_id, due.notification_id) for due in await ledger.book.due(NOW, 100, NOBODY)}
        assert left == {(due.subscription_id, due.notification_id) for due in found[60:]}

    async def test_what_is_gone_meanwhile_is_passed_over(self, ledger: Ledger) -> None:
        await ledger.owe("s1", "n1", NOW)
        (due,) = await ledger.book.due(NOW, 10, NOBODY)
        stranger = replace(due, subscription_id="nobody", notification_id="never")
        await ledger.book.settle([ended(stranger, "retry", NOW), ended(due, "delivered")])
        assert await names(ledger.book) == []

    async def test_what_a_clock_that_went_back_put_off_is_recalled_and_nothing_else(
        self, ledger: Ledger
    ) -> None:
        for name in ("soon", "waits", "put off"):
            await ledger.owe("s1", name, NOW - 1)
        back = NOW - 40 * SECOND
        soon, waits, _ = await ledger.book.due(NOW, 10, NOBODY)
        await ledger.book.settle(
            [ended(soon, "retry", back + 9 * SECOND), ended(waits, "retry", back + 11 * SECOND)]
        )
        assert await ledger.book.recall(NOW) == 0
        assert await ledger.book.recall(back) == 2
        assert await names(ledger.book, back) == ["s1/waits", "s1/put off"]
        assert await ledger.book.next_due(back) == back + 9 * SECOND
