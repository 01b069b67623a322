import asyncio
import threading
from pathlib import Path

import pytest

from rules.signals import Timing
from streams.embedded.chain import Chain
from streams.embedded.log import EmbeddedLog, LogPlan
from streams.embedded.topic import TopicBounds
from streams.log import LogOutOfRange, LogRefused, Message
from tests.streams.embedded.stage import (
    DEADLINE,
    NO_TAIL,
    SettableClock,
    StagedDisk,
    opened,
    reached,
    segments,
)


async def test_a_future_resolves_after_the_write_and_the_sync(tmp_path: Path) -> None:
    disk = StagedDisk()
    async with opened(tmp_path, disk=disk) as log:
        for _ in range(5):
            disk.calls.clear()
            future = log.append("writes", 0, b"x")
            future.add_done_callback(lambda _: disk.calls.append("resolved"))
            await future
            await asyncio.sleep(0)
            assert disk.calls == ["write", "sync", "resolved"]


async def test_nothing_is_visible_before_it_is_durable(tmp_path: Path) -> None:
    disk = StagedDisk()
    async with opened(tmp_path, disk=disk) as log:
        disk.gate.clear()
        disk.reached.clear()
        future = log.append("writes", 0, b"x")
        await reached(disk)
        assert not future.done()
        assert log.bounds("writes", 0) == (0, 0)
        assert log.read("writes", 0, 0, 10) == []
        disk.gate.set()
        assert await future == 0
        assert [m.payload for m in log.read("writes", 0, 0, 10)] == [b"x"]


async def test_what_arrives_during_a_sync_shares_the_next_block(tmp_path: Path) -> None:
    disk = StagedDisk()
    async with opened(tmp_path, disk=disk) as log:
        disk.gate.clear()
        disk.reached.clear()
        first = log.append("writes", 0, b"first")
        await reached(disk)
        disk.calls.clear()
        rest = [log.append("writes", n % 2, b"%d" % n) for n in range(1_000)]
        disk.gate.set()
        await asyncio.gather(first, *rest)
        assert disk.calls == ["sync", "write", "sync"]


async def test_a_block_is_bounded_in_bytes_and_in_messages(tmp_path: Path) -> None:
    disk = StagedDisk()
    async with opened(tmp_path, disk=disk) as log:
        for count, size, blocks in ((7, 1_500_000, 4), (5_000, 0, 2)):
            disk.gate.clear()
            disk.reached.clear()
            first = log.append("writes", 0, b"x")
            await reached(disk)
            disk.calls.clear()
            rest = [log.append("writes", 0, bytes(size)) for _ in range(count)]
            disk.gate.set()
            offsets = await asyncio.gather(first, *rest)
            assert offsets == list(range(offsets[0], offsets[0] + count + 1))
            assert disk.calls == ["sync", *["write", "sync"] * blocks]


async def test_what_waits_is_bounded(tmp_path: Path) -> None:
    disk = StagedDisk()
    async with opened(tmp_path, disk=disk, bounds=TopicBounds(waiting_bytes=10_000)) as log:
        disk.gate.clear()
        taken = [log.append("writes", 0, bytes(2_000)) for _ in range(3)]
        with pytest.raises(LogRefused, match="try again later"):
            await log.append("writes", 0, bytes(3_000))
        disk.gate.set()
        assert await asyncio.gather(*taken) == [0, 1, 2]
        assert await log.append("writes", 0, bytes(3_000)) == 3


async def test_reads_from_memory_do_not_touch_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await asyncio.gather(*(log.append("writes", 0, b"%d" % n) for n in range(100)))
        for path in segments(tmp_path):
            path.unlink()
        assert len(log.read("writes", 0, 0, 10_000)) == 100
        assert len(log.recent("writes", 0, 50, 10_000) or []) == 50


async def test_a_fetch_from_disk_leaves_the_loop_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, bounds=NO_TAIL) as log:
        for n in range(3):
            await log.append("writes", 0, b"%d" % n)
        assert log.recent("writes", 0, 0, 10) is None
        threads: set[int] = set()
        read = Chain.read

        def noting(chain: Chain, *args: int) -> list[Message]:
            threads.add(threading.get_ident())
            return read(chain, *args)

        monkeypatch.setattr(Chain, "read", noting)
        assert [m.payload for m in await log.fetch("writes", 0, 0, 10)] == [b"0", b"1", b"2"]
        assert threads
        assert threading.get_ident() not in threads


async def test_stamps_follow_the_clock_and_never_go_back(tmp_path: Path) -> None:
    clock = SettableClock(500)
    async with opened(tmp_path, clock=clock) as log:
        for clock.now in (500, 400, 700):
            await log.append("events", 0, b"x")
    clock.now = 100
    async with opened(tmp_path, clock=clock) as log:
        await log.append("events", 1, b"x")
        assert [m.stamp for m in log.read("events", 0, 0, 10)] == [500, 500, 700]
        assert [m.stamp for m in log.read("events", 1, 0, 10)] == [700]


async def test_topics_are_trimmed_apart_and_events_by_age_too(tmp_path: Path) -> None:
    clock = SettableClock(0)
    async with opened(tmp_path, segment_bytes=1, bounds=NO_TAIL, clock=clock) as log:
        for clock.now in range(10):
            await asyncio.gather(log.append("writes", 0, b"x"), log.append("events", 0, b"x"))
        size = log.size("writes")
        freed = await log.trim("writes", {0: 8})
        assert log.bounds("writes", 0) == (8, 10)
        assert log.size("writes") == size - freed
        assert await log.trim("events", {0: 8}, older_than=4) > 0
        assert log.bounds("events", 0) == (4, 10)
        with pytest.raises(LogOutOfRange, match="start of writes/0, which is 8"):
            await log.fetch("writes", 0, 7, 10)
        assert (await log.fetch("writes", 0, 8, 10))[0].offset == 8
    async with opened(tmp_path) as log:
        assert (log.bounds("writes", 0), log.bounds("events", 0)) == ((8, 10), (4, 10))


async def test_readers_writers_and_trims_at_once_see_every_message_once_and_in_order(tmp_path: Path) -> None:
    count = 600
    async with opened(tmp_path, segment_bytes=2_000, bounds=TopicBounds(tail_bytes=1_000)) as log:
        read = [0, 0]
        came = asyncio.Event()
        log.watch("writes", lambda _: came.set())

        async def write(partition: int) -> None:
            for n in range(0, count, 4):
                await asyncio.gather(*(log.append("writes", partition, b"%d" % (n + k)) for k in range(4)))

        async def follow(partition: int) -> None:
            while read[partition] < count:
                messages = await log.fetch("writes", partition, read[partition], 50)
                for message in messages:
                    assert (message.offset, message.payload) == (read[partition], b"%d" % read[partition])
                    read[partition] += 1
                if not messages:
                    came.clear()
                    await asyncio.wait_for(came.wait(), DEADLINE)
                elif read[partition] % 7 == 0:
                    await log.trim("writes", dict(enumerate(read)))

        await asyncio.gather(*(write(p) for p in (0, 1)), *(follow(p) for p in (0, 1)))
        assert log.bounds("writes", 0)[0] > 0
        assert len(segments(tmp_path)) < 40


async def test_its_sync_times_are_reported(tmp_path: Path) -> None:
    times: list[tuple[Timing, dict[str, str]]] = []

    class Keeping:
        def count(self, name: object, amount: float = 1, /, **labels: str) -> None: ...
        def gauge(self, name: object, value: float, /, **labels: str) -> None: ...
        def time(self, name: Timing, seconds: float, /, **labels: str) -> None:
            times.append((name, labels))

    log = await EmbeddedLog.open(LogPlan(tmp_path, ("writes",), 1), SettableClock(1), meter=Keeping())
    await log.append("writes", 0, b"x")
    await log.close()
    assert times == [("fsync_seconds", {"topic": "writes"})]
