"""What every log must do. A log passes by a subclass of `LogSuite` with a fixture `open_log`.

`open_log` is an async function that opens the same log, empty at the test's first call, with the topics
`writes` and `events` and four partitions. Called again it may be once more only after a close. The fixture
closes what a test left open.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from streams.log import Log, LogOutOfRange, LogRefused, Message

PARTITIONS = 4
DEADLINE = 10.0

OpenLog = Callable[[], Awaitable[Log]]


async def read_all(log: Log, topic: str, partition: int, max_bytes: int = 1_000) -> list[Message]:
    """Return every message kept, fetched in steps of `max_bytes`."""
    offset, end = log.bounds(topic, partition)
    found: list[Message] = []
    while offset < end:
        step = await log.fetch(topic, partition, offset, max_bytes)
        assert step, f"nothing at {offset}, and the end is {end}"
        found += step
        offset = step[-1].offset + 1
    return found


class LogSuite:
    """The tests; see above."""

    async def test_a_new_log_is_empty(self, open_log: OpenLog) -> None:
        log = await open_log()
        assert log.partitions == PARTITIONS
        assert log.identity
        for topic in ("writes", "events"):
            for partition in range(PARTITIONS):
                assert log.bounds(topic, partition) == (0, 0)
                assert await log.fetch(topic, partition, 0, 100) == []

    async def test_offsets_are_dense_from_zero_in_each_partition(self, open_log: OpenLog) -> None:
        log = await open_log()
        places = [(n % 3, n // 3) for n in range(30)]
        offsets = await asyncio.gather(*(log.append("writes", p, b"x") for p, _ in places))
        assert offsets == [offset for _, offset in places]
        assert log.bounds("writes", 0) == (0, 10)
        assert log.bounds("writes", 3) == (0, 0)

    async def test_appends_to_a_partition_keep_the_order_of_the_calls(self, open_log: OpenLog) -> None:
        log = await open_log()
        payloads = [str(n).encode() for n in range(500)]
        await asyncio.gather(*[log.append("writes", 1, payload) for payload in payloads])
        assert [m.payload for m in await read_all(log, "writes", 1)] == payloads

    async def test_topics_and_partitions_are_apart(self, open_log: OpenLog) -> None:
        log = await open_log()
        await asyncio.gather(
            log.append("writes", 0, b"w0"), log.append("writes", 1, b"w1"), log.append("events", 0, b"e0")
        )
        assert [m.payload for m in await read_all(log, "writes", 0)] == [b"w0"]
        assert [m.payload for m in await read_all(log, "writes", 1)] == [b"w1"]
        assert [m.payload for m in await read_all(log, "events", 0)] == [b"e0"]

    async def test_a_message_is_readable_once_its_append_resolved(self, open_log: OpenLog) -> None:
        log = await open_log()
        for n in range(20):
            offset = await log.append("writes", 2, str(n).encode())
            assert [m.payload for m in await log.fetch("writes", 2, offset, 100)] == [str(n).encode()]
            assert log.bounds("writes", 2)[1] == offset + 1
            assert await log.measure("writes", 2) == (0, offset + 1)

    async def test_a_read_is_bounded_and_gives_at_least_one_message(self, open_log: OpenLog) -> None:
        log = await open_log()
        await asyncio.gather(*(log.append("writes", 0, bytes(100)) for _ in range(10)))
        assert len(await log.fetch("writes", 0, 0, 350)) == 3
        assert [m.offset for m in await log.fetch("writes", 0, 4, 1)] == [4]

    async def test_an_empty_payload_is_a_message(self, open_log: OpenLog) -> None:
        log = await open_log()
        await log.append("writes", 0, b"")
        assert [m.payload for m in await read_all(log, "writes", 0)] == [b""]

    async def test_beyond_the_end_is_refused_and_the_end_is_not(self, open_log: OpenLog) -> None:
        log = await open_log()
        await log.append("writes", 0, b"x")
        assert await log.fetch("writes", 0, 1, 100) == []
        with pytest.raises(LogOutOfRange):
            await log.fetch("writes", 0, 2, 100)
        with pytest.raises(LogOutOfRange):
            log.recent("writes", 0, 2, 100)

    async def test_stamps_never_go_back(self, open_log: OpenLog) -> None:
        log = await open_log()
        for _ in range(10):
            await log.append("events", 0, b"x")
        stamps = [m.stamp for m in await read_all(log, "events", 0)]
        assert stamps == sorted(stamps)

    async def test_a_watcher_is_told_once_messages_are_readable(self, open_log: OpenLog) -> None:
        log = await open_log()
        told: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        unwatch = log.watch("writes", lambda p: told.put_nowait((p, log.bounds("writes", p)[1])))
        await log.append("writes", 3, b"x")
        assert await asyncio.wait_for(told.get(), DEADLINE) == (3, 1)
        unwatch()
        unwatch()
        await log.append("writes", 3, b"x")
        await log.append("events", 3, b"x")
        assert told.empty()

    async def test_a_watcher_that_fails_keeps_no_other_from_being_told(self, open_log: OpenLog) -> None:
        log = await open_log()
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        told = asyncio.Event()
        log.watch("writes", lambda _: [][0])
        log.watch("writes", lambda _: told.set())
        await log.append("writes", 0, b"x")
        await asyncio.wait_for(told.wait(), DEADLINE)

    async def test_a_message_too_large_is_refused_and_the_log_goes_on(self, open_log: OpenLog) -> None:
        log = await open_log()
        with pytest.raises(LogRefused):
            await log.append("writes", 0, bytes(2 * 1024 * 1024 + 1))
        assert await log.append("writes", 0, b"x") == 0

    async def test_a_large_message_is_kept(self, open_log: OpenLog) -> None:
        log = await open_log()
        payload = bytes(range(256)) * 4096
        await log.append("writes", 0, payload)
        assert [m.payload for m in await read_all(log, "writes", 0)] == [payload]

    async def test_a_partition_that_is_not_there_is_refused(self, open_log: OpenLog) -> None:
        log = await open_log()
        for topic, partition in (("writes", PARTITIONS), ("writes", -1), ("nothing", 0)):
            with pytest.raises(LogRefused):
                await log.append(topic, partition, b"x")

    async def test_an_append_given_up_by_its_caller_harms_no_other(self, open_log: OpenLog) -> None:
        log = await open_log()
        given_up = log.append("writes", 0, b"x")
        other = log.append("writes", 0, b"y")
        given_up.cancel()
        offset = await other
        assert [m.payload for m in await log.fetch("writes", 0, offset, 10)] == [b"y"]

    async def test_after_a_close_everything_is_there(self, open_log: OpenLog) -> None:
        log = await open_log()
        identity = log.identity
        payloads = [str(n).encode() for n in range(200)]
        waiting = [log.append("writes", n % PARTITIONS, payload) for n, payload in enumerate(payloads)]
        await log.close()
        assert all(future.done() and future.exception() is None for future in waiting)
        log = await open_log()
        assert log.identity == identity
        for partition in range(PARTITIONS):
            kept = [m.payload for m in await read_all(log, "writes", partition)]
            assert kept == payloads[partition::PARTITIONS]
        assert await log.append("writes", 0, b"x") == 200 // PARTITIONS

    async def test_a_closed_log_refuses_and_closes_again(self, open_log: OpenLog) -> None:
        log = await open_log()
        await log.close()
        await log.close()
        with pytest.raises(LogRefused):
            await log.append("writes", 0, b"x")

    async def test_a_trim_drops_nothing_that_is_not_below(self, open_log: OpenLog) -> None:
        log = await open_log()
        await asyncio.gather(*(log.append("writes", n % 2, str(n).encode()) for n in range(100)))
        await log.trim("writes", {0: 30, 1: 10})
        for partition, below in ((0, 30), (1, 10)):
            start, end = log.bounds("writes", partition)
            assert start <= below
            assert end == 50
            kept = await read_all(log, "writes", partition)
            assert [m.offset for m in kept] == list(range(start, end))
        assert await log.append("writes", 0, b"x") == 50

    async def test_a_trim_drops_nothing_that_is_young(self, open_log: OpenLog) -> None:
        log = await open_log()
        await log.append("events", 0, b"x")
        await log.trim("events", {0: 1}, older_than=1)
        assert log.bounds("events", 0) == (0, 1)

    async def test_its_size_grows_with_what_is_appended(self, open_log: OpenLog) -> None:
        log = await open_log()
        before = log.size("writes")
        await log.append("writes", 0, bytes(10_000))
        assert log.size("writes") >= before + 10_000
