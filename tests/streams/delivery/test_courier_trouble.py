"""The courier beside a book in trouble, and how it stops."""

from asyncio import Event, create_task, timeout, wait
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from rules.errors import Later
from streams.delivery.book import Due, Settled
from streams.delivery.courier import Courier
from streams.delivery.webhook import Webhooks
from tests.streams.delivery.memory_book import MemoryBook
from tests.streams.delivery.receiver import Receiver, always, receiver, when
from tests.streams.delivery.rounds import LONG_AGO, Round, Tally, carrying


@dataclass
class Flaky(MemoryBook):
    """A book whose every method answers Later `times` times before each time that it works."""

    times: int = 2
    failures: Counter[str] = field(default_factory=Counter)

    def _perhaps(self, method: str) -> None:
        self.failures[method] += 1
        if self.failures[method] % (self.times + 1):
            raise Later("the database is locked")

    async def due(self, now_ns: int, limit: int, busy: frozenset[str]) -> list[Due]:
        self._perhaps("due")
        return await super().due(now_ns, limit, busy)

    async def next_due(self, now_ns: int) -> int | None:
        self._perhaps("next_due")
        return await super().next_due(now_ns)

    async def settle(self, done: list[Settled]) -> None:
        self._perhaps("settle")
        await super().settle(done)


async def test_a_book_that_can_not_answer_now_is_asked_again_and_nothing_is_sent_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.delivery.courier.RETRY_FIRST", 0.001)
    monkeypatch.setattr("streams.delivery.courier.RETRY_MOST", 0.005)
    book = Flaky()
    async with receiver(always(200)) as server, carrying(book) as go:
        for number in range(20):
            book.add(f"s{number}", "n1", LONG_AGO, server.url)
        go.courier.wake()
        await book.until_settled(20)
        assert len(server.received) == 20
        assert go.tally.counts["retries_total courier"] >= 2


async def test_a_stop_ends_the_waiting_for_a_book_that_can_not_answer() -> None:
    async with carrying(Flaky(times=10**9)) as go:
        await wait([go.running], timeout=0.05)
        async with timeout(1):
            await go.courier.stop(5)
        assert go.running.exception() is None


@dataclass
class Slow(MemoryBook):
    """A book that keeps, and answers what is due, only when it may."""

    settles: Event = field(default_factory=Event)
    answers: Event = field(default_factory=Event)
    asked: Event = field(default_factory=Event)

    async def due(self, now_ns: int, limit: int, busy: frozenset[str]) -> list[Due]:
        found = await super().due(now_ns, limit, busy)
        self.asked.set()
        await self.answers.wait()
        return found

    async def settle(self, done: list[Settled]) -> None:
        await self.settles.wait()
        await super().settle(done)


@asynccontextmanager
async def carried_and_not_kept() -> AsyncIterator[tuple[Slow, Receiver, Round]]:
    """A delivery that arrived, and whose outcome is not kept before `settles` is set."""
    book = Slow()
    book.answers.set()
    async with receiver(always(200)) as server, carrying(book) as go:
        book.add("s1", "n1", LONG_AGO, server.url)
        go.courier.wake()
        await server.until(1)
        yield book, server, go


async def test_a_new_delivery_does_not_wait_until_the_outcome_of_another_is_kept() -> None:
    async with carried_and_not_kept() as (book, server, go):
        book.add("s1", "n2", LONG_AGO, server.url)
        go.courier.wake()
        await server.until(2)
        assert book.history == []
        book.settles.set()
        await book.until_settled(2)


async def test_what_is_kept_while_the_book_is_read_is_not_carried_again() -> None:
    async with carried_and_not_kept() as (book, server, go):
        book.answers.clear()
        book.asked.clear()
        go.courier.wake()
        await book.asked.wait()  # what it was answered shows the first as due
        book.settles.set()
        await book.until_settled(1)
        book.answers.set()
        book.add("s1", "n2", LONG_AGO, server.url)
        go.courier.wake()
        await book.until_settled(2)
        assert [got.headers["webhook-id"] for got in server.received] == ["n1", "n2"]


@dataclass
class Broken(MemoryBook):
    """A book with a bug that shows in its second answer."""

    asked: int = 0

    async def due(self, now_ns: int, limit: int, busy: frozenset[str]) -> list[Due]:
        self.asked += 1
        if self.asked > 1:
            raise ZeroDivisionError("a bug")
        return await super().due(now_ns, limit, busy)


async def test_an_unknown_error_of_the_book_ends_the_run_and_every_attempt() -> None:
    gate = Event()
    book = Broken()
    async with receiver(when(gate)) as server:
        book.add("s1", "n1", LONG_AGO, server.url)
        async with carrying(book) as go:
            await server.until(1)
            go.courier.wake()
            await wait([go.running], timeout=2)
            assert isinstance(go.running.exception(), ZeroDivisionError)
        assert book.history == []
        gate.set()


async def test_an_attempt_that_fails_within_the_broker_is_a_failed_attempt() -> None:
    book = MemoryBook()
    book.add("s1", "n1", LONG_AGO, "http://127.0.0.1:9/")
    courier = Courier(book, Webhooks(version="1", allow_private=True), Tally(), idle=60)
    running = create_task(courier.run())
    await book.until_settled(1)
    await courier.stop()
    await running
    (end,) = book.history
    assert (end.outcome, end.error) == ("retry", "The attempt failed in the broker (RuntimeError).")


async def test_a_stop_lets_attempts_end_and_keeps_their_outcomes() -> None:
    gate = Event()
    async with receiver(when(gate)) as server, carrying() as go:
        go.book.add("s1", "n1", LONG_AGO, server.url)
        go.courier.wake()
        await server.until(1)
        stopping = create_task(go.courier.stop(5))
        go.book.add("s2", "n2", LONG_AGO, server.url)
        await wait([stopping], timeout=0.05)
        assert not stopping.done()
        gate.set()
        async with timeout(2):
            await stopping
        assert [end.notification_id for end in go.book.history] == ["n1"]
        assert go.running.done()
        assert len(server.received) == 1


async def test_what_a_stop_cuts_off_stays_due() -> None:
    gate = Event()
    async with receiver(when(gate)) as stuck, receiver(always(200)) as server, carrying() as go:
        go.book.add("s1", "cut", LONG_AGO, stuck.url)
        go.book.add("s2", "done", LONG_AGO, server.url)
        go.courier.wake()
        await stuck.until(1)
        await server.until(1)
        async with timeout(2):
            await go.courier.stop(0.05)
        assert [due.notification_id for due in await go.book.due(go.clock.now, 10, frozenset())] == ["cut"]
        gate.set()


async def test_a_cancelled_courier_leaves_nothing_running() -> None:
    gate = Event()
    async with receiver(when(gate)) as server, carrying() as go:
        go.book.add("s1", "n1", LONG_AGO, server.url)
        go.courier.wake()
        await server.until(1)
        go.running.cancel()
        await wait([go.running], timeout=1)
        assert go.running.cancelled()
        assert go.book.history == []
        await go.courier.stop()
        gate.set()


async def test_a_stop_before_the_start_is_no_harm() -> None:
    async with Webhooks(version="1", allow_private=True) as out:
        courier = Courier(MemoryBook(), out, Tally())
        await courier.stop()
        async with timeout(1):
            await courier.run()


@dataclass
class Stuck(MemoryBook):
    """A book that never answers."""

    async def due(self, now_ns: int, limit: int, busy: frozenset[str]) -> list[Due]:
        await Event().wait()
        return []


async def test_a_book_that_never_answers_can_not_hold_up_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.delivery.courier.LAST_WORD", 0.05)
    async with carrying(Stuck()) as go:
        await wait([go.running], timeout=0.01)
        async with timeout(1):
            await go.courier.stop(0.05)
        assert go.running.cancelled()
