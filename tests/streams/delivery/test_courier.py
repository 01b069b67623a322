"""The courier: everything due is attempted, kept, and nobody waits for somebody else's receiver."""

from asyncio import create_task, wait
from time import time_ns

import pytest
from standardwebhooks import Webhook

from rules.alerting.delivery import RETRY_SECONDS, SECOND
from streams.delivery.book import Settled
from streams.delivery.courier import Courier
from streams.delivery.webhook import Webhooks
from tests.streams.delivery.memory_book import SECRET, MemoryBook
from tests.streams.delivery.receiver import always, in_turn, receiver
from tests.streams.delivery.rounds import LONG_AGO, Tally, carrying


async def test_what_is_due_is_delivered_signed_and_kept() -> None:
    async with receiver(always(204)) as server, carrying() as go:
        go.book.add("s1", "n1", LONG_AGO, server.url)
        go.courier.wake()
        await go.book.until_settled(1)
        (got,) = server.received
        assert got.headers["webhook-id"] == "n1"
        assert Webhook(SECRET).verify(got.body, got.headers) == {"type": "alert.firing"}
        (end,) = go.book.history
        assert end == Settled("n1", "s1", 1, go.clock.now, 204, None, "delivered", None)
        assert go.tally.counts == {"deliveries_total delivered": 1, "delivery_seconds": 1}


async def test_what_was_due_before_the_start_needs_no_wake() -> None:
    book = MemoryBook()
    async with receiver(always(200)) as server:
        for number in range(200):
            book.add(f"s{number % 50}", f"n{number}", LONG_AGO, server.url)
        async with carrying(book) as go:
            await go.book.until_settled(200)
        assert len(server.received) == 200
        assert len({got.headers["webhook-id"] for got in server.received}) == 200


async def test_a_failure_is_tried_again_at_its_time_with_the_same_id_and_body() -> None:
    async with receiver(in_turn(500, 200)) as server, carrying() as go:
        go.book.add("s1", "n1", LONG_AGO, server.url)
        go.courier.wake()
        await go.book.until_settled(1)
        (first,) = go.book.history
        assert (first.outcome, first.status, first.next_at) == ("retry", 500, go.clock.now + 5 * SECOND)
        go.clock.now += 5 * SECOND
        go.courier.wake()
        await go.book.until_settled(2)
        assert (go.book.history[1].outcome, go.book.history[1].attempt) == ("delivered", 2)
        one, two = server.received
        assert (one.headers["webhook-id"], one.body) == (two.headers["webhook-id"], two.body)
        assert int(two.headers["webhook-timestamp"]) == int(one.headers["webhook-timestamp"]) + 5


async def test_nothing_is_sent_before_its_time() -> None:
    async with receiver(in_turn(500, 200)) as server, carrying() as go:
        go.book.add("s1", "n1", LONG_AGO, server.url)
        go.book.add("s1", "far", go.clock.now + 5 * SECOND, server.url)
        go.courier.wake()
        await go.book.until_settled(1)
        go.clock.now += 5 * SECOND - 1
        go.book.add("s1", "mark", LONG_AGO, server.url)
        go.courier.wake()
        await go.book.until_settled(2)
        assert [end.notification_id for end in go.book.history] == ["n1", "mark"]


async def test_after_the_last_retry_it_is_given_up() -> None:
    async with receiver(always(503)) as server, carrying(chance=0.999) as go:
        go.book.add("s1", "n1", LONG_AGO, server.url)
        for made, pause in enumerate((*RETRY_SECONDS, 0)):
            go.courier.wake()
            await go.book.until_settled(made + 1)
            go.clock.now += round(pause * 1.2 * SECOND)
        outcomes = [end.outcome for end in go.book.history]
        assert outcomes == ["retry"] * len(RETRY_SECONDS) + ["given_up"]
        assert go.tally.counts["deliveries_total failed"] == len(RETRY_SECONDS)
        assert go.tally.counts["deliveries_total given_up"] == 1


async def test_410_disables_the_subscription_and_no_other() -> None:
    async with receiver(always(410)) as gone, receiver(always(200)) as server, carrying(each=1) as go:
        for number in range(5):
            go.book.add("gone", f"n{number}", LONG_AGO, gone.url)
            go.book.add("there", f"n{number}", LONG_AGO, server.url)
        go.courier.wake()
        await go.book.until_settled(6)
        assert len(gone.received) == 1
        assert len(server.received) == 5
        assert go.book.disabled == {"gone"}


async def test_a_receiver_that_asks_for_time_is_given_it() -> None:
    async with receiver(always(429, {"Retry-After": "9"})) as server, carrying() as go:
        go.book.add("s1", "n1", LONG_AGO, server.url)
        go.courier.wake()
        await go.book.until_settled(1)
        assert go.book.history[0].next_at == go.clock.now + 9 * SECOND


async def test_a_refused_target_is_counted_as_such_and_tried_again() -> None:
    async with receiver(always(200)) as server, carrying() as go:
        go.book.add("s1", "n1", LONG_AGO, server.url.replace("http:", "gopher:"))
        go.courier.wake()
        await go.book.until_settled(1)
        assert go.book.history[0].outcome == "retry"
        assert go.tally.counts["deliveries_total refused"] == 1
        assert server.received == []


async def test_what_falls_due_is_sent_without_a_wake() -> None:
    book = MemoryBook()
    async with (
        receiver(always(200)) as server,
        Webhooks(version="1", allow_private=True) as out,
    ):
        book.add("s1", "n1", time_ns() + SECOND // 20, server.url)
        courier = Courier(book, out, Tally(), idle=60)
        running = create_task(courier.run())
        await server.until(1)
        await courier.stop()
        await running


async def test_what_was_added_without_a_wake_is_found_within_the_idle_time() -> None:
    async with receiver(always(200)) as server, carrying(idle=0.05) as go:
        await wait([go.running], timeout=0.01)
        go.book.add("s1", "n1", LONG_AGO, server.url)
        await server.until(1)


async def test_failures_are_logged_with_an_action_and_without_address_or_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "streams.delivery")
    async with receiver(always(500)) as failing, receiver(always(410)) as gone, carrying() as go:
        go.book.add("s1", "n1", LONG_AGO, failing.url + "/private")
        go.book.add("s2", "n2", LONG_AGO, gone.url + "/private")
        go.courier.wake()
        await go.book.until_settled(2)
    said = {getattr(record, "action", ""): record.getMessage() for record in caplog.records}
    assert "attempt 1" in said["delivery_failed"]
    assert "500" in said["delivery_failed"]
    assert "s2 of acme" in said["subscription_disabled"]
    assert not any("private" in text or SECRET in text for text in said.values())
