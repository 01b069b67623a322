"""The book in memory keeps the laws; outcomes follow from attempts."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerting.delivery import RETRY_SECONDS, SECOND
from streams.delivery.book import Due, settled
from streams.delivery.webhook import Attempt
from tests.conformance.delivery_book import DeliveryBookLaws, Ledger
from tests.streams.delivery.memory_book import SECRET, MemoryBook

AT = 1_800_000_000_000_000_000
ERROR = "The receiver answered otherwise."


class MemoryLedger:
    def __init__(self) -> None:
        self.book = MemoryBook()

    async def owe(self, subscription: str, notification: str, at: int) -> None:
        self.book.add(subscription, notification, at, "https://example.com/hook")


class TestMemoryBook(DeliveryBookLaws):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return cast(Ledger, MemoryLedger())


def due(attempt: int) -> Due:
    return Due("n1", "s1", "acme", "https://example.com/hook", SECRET, attempt, b"{}")


def failed(status: int | None, retry_after: float | None = None) -> Attempt:
    return Attempt(status, ERROR, retry_after, 0.1)


def test_an_attempt_that_was_taken_ends_the_delivery() -> None:
    end = settled(due(3), Attempt(204, None, None, 0.1), AT, AT + 5, 0.0)
    assert (end.outcome, end.attempt, end.at, end.next_at, end.error) == ("delivered", 4, AT, None, None)


def test_a_failure_is_tried_again_counted_from_its_end() -> None:
    end = settled(due(0), failed(500), AT, AT + 7 * SECOND, 0.0)
    assert (end.outcome, end.attempt, end.next_at) == ("retry", 1, AT + 12 * SECOND)
    assert (end.status, end.error) == (500, ERROR)


def test_410_disables() -> None:
    end = settled(due(0), failed(410), AT, AT, 0.0)
    assert (end.outcome, end.next_at) == ("disabled", None)


def test_what_a_receiver_asks_for_is_honoured() -> None:
    assert settled(due(0), failed(429, 8.0), AT, AT, 0.0).next_at == AT + 8 * SECOND


@given(
    made=st.integers(0, 20),
    status=st.none() | st.integers(100, 599),
    jitter=st.floats(-1, 1),
    took=st.integers(0, 10**11),
)
def test_a_delivery_has_a_next_time_exactly_while_it_is_retried(
    made: int, status: int | None, jitter: float, took: int
) -> None:
    end = settled(due(made), failed(status), AT, AT + took, jitter)
    assert (end.outcome == "retry") == (end.next_at is not None)
    assert end.attempt == made + 1
    if end.outcome == "retry":
        assert made < len(RETRY_SECONDS)
        assert cast(int, end.next_at) > AT + took


def test_a_delivery_shows_neither_secret_nor_address_when_it_is_printed() -> None:
    assert SECRET not in repr(due(0))
    assert "example.com" not in repr(due(0))
