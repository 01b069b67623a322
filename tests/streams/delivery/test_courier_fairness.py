"""Nobody waits for somebody else's receiver, and everything is bounded."""

from asyncio import Event

from tests.streams.delivery.memory_book import MemoryBook
from tests.streams.delivery.receiver import always, receiver, when
from tests.streams.delivery.rounds import LONG_AGO, carrying


async def test_a_receiver_that_hangs_holds_up_nobody_else() -> None:
    gate = Event()
    async with receiver(when(gate)) as stuck, receiver(always(200)) as server, carrying() as go:
        for number in range(500):
            go.book.add("stuck", f"n{number}", LONG_AGO, stuck.url)
        for number in range(60):
            go.book.add(f"s{number % 6}", f"n{number}", LONG_AGO + 1, server.url)
        go.courier.wake()
        await server.until(60)
        await stuck.until(4)
        assert stuck.inside == stuck.peak == 4
        gate.set()


async def test_the_hanging_are_cut_at_the_deadline_and_the_next_get_their_places() -> None:
    gate = Event()
    async with receiver(when(gate)) as stuck, carrying(deadline=0.1, each=2) as go:
        for number in range(5):
            go.book.add("stuck", f"n{number}", LONG_AGO, stuck.url)
        go.courier.wake()
        await go.book.until_settled(5)
        assert all(end.outcome == "retry" and end.status is None for end in go.book.history)
        assert stuck.peak <= 4  # two under way, and two that the server has not noticed to be cut
        gate.set()


async def test_attempts_under_way_are_bounded_in_all() -> None:
    gate = Event()
    async with receiver(when(gate)) as server, carrying(most=6, each=4) as go:
        for number in range(40):
            go.book.add(f"s{number % 10}", f"n{number}", LONG_AGO, server.url)
        go.courier.wake()
        await server.until(6)
        gate.set()
        await go.book.until_settled(40)
        assert server.peak == 6


async def test_what_is_under_way_is_not_taken_twice() -> None:
    gate = Event()
    async with receiver(when(gate)) as server, receiver(always(200)) as other, carrying() as go:
        go.book.add("s1", "n1", LONG_AGO, server.url)
        for number in range(10):
            go.book.add("s2", f"n{number}", LONG_AGO, other.url)
            go.courier.wake()
            await other.until(number + 1)
        assert len(server.received) == 1
        gate.set()
        await go.book.until_settled(11)
        assert len(server.received) == 1


async def test_the_same_notification_goes_to_each_subscription() -> None:
    async with receiver(always(200)) as server, carrying() as go:
        for number in range(10):
            go.book.add(f"s{number}", "n1", LONG_AGO, server.url)
        go.courier.wake()
        await go.book.until_settled(10)
        assert {end.subscription_id for end in go.book.history} == {f"s{n}" for n in range(10)}


async def test_a_long_queue_of_one_subscription_is_not_read_over_and_over() -> None:
    book = MemoryBook()
    async with receiver(always(200)) as server:
        for number in range(400):
            book.add("s1", f"n{number}", LONG_AGO, server.url)
        async with carrying(book):
            await book.until_settled(400)
    assert len(server.received) == 400
    assert book.rows_read < 400 * 8


async def test_many_receivers_that_hang_leave_places_for_one_that_is_well() -> None:
    gate = Event()
    async with (
        receiver(when(gate)) as stuck,
        receiver(always(200)) as server,
        carrying(most=64, each=8) as go,
    ):
        for number in range(20 * 30):
            go.book.add(f"stuck{number % 20}", f"n{number}", LONG_AGO, stuck.url)
        go.courier.wake()
        await stuck.until(20)
        for number in range(50):
            go.book.add("well", f"n{number}", LONG_AGO + 1, server.url)
        go.courier.wake()
        await server.until(50)
        assert stuck.peak < 64
        gate.set()
