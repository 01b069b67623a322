"""What the log does when the disk, the clock or a directory does not do its part."""

import asyncio
from pathlib import Path

import pytest

from streams.embedded.log import EmbeddedLog, LogPlan
from streams.log import LogFailed, LogRefused, LogUnknown
from tests.streams.embedded.stage import (
    DEADLINE,
    IO_ERROR,
    NO_SPACE,
    SettableClock,
    StagedDisk,
    opened,
    reached,
    segments,
)


async def test_a_full_disk_refuses_one_block_and_the_log_goes_on(tmp_path: Path) -> None:
    disk = StagedDisk()
    async with opened(tmp_path, disk=disk) as log:
        await log.append("writes", 0, b"before")
        disk.fail_write = NO_SPACE
        ends = await asyncio.gather(
            *(log.append("writes", 0, bytes(99)) for _ in range(9)), return_exceptions=True
        )
        assert all(isinstance(end, LogRefused) for end in ends)
        assert len(set(map(id, ends))) == len(ends), "each has a traceback of its own"
        disk.fail_write = None
        assert await log.append("writes", 0, b"after") == 1
        assert [m.payload for m in log.read("writes", 0, 0, 100)] == [b"before", b"after"]
    async with opened(tmp_path) as log:
        assert log.cut_bytes == {"writes": 0, "events": 0}
        assert [m.payload for m in log.read("writes", 0, 0, 100)] == [b"before", b"after"]


@pytest.mark.parametrize("kind", ["write", "sync"])
async def test_an_input_output_error_fails_the_log_for_good(tmp_path: Path, kind: str) -> None:
    disk = StagedDisk()
    told: list[LogFailed] = []
    async with opened(tmp_path, disk=disk) as log:
        log.on_failure(told.append)
        acknowledged = await asyncio.gather(*(log.append("writes", 0, b"%d" % n) for n in range(9)))
        assert acknowledged == list(range(9))
        disk.gate.clear()
        disk.reached.clear()
        if kind == "sync":
            disk.fail_sync = IO_ERROR
            in_the_block = log.append("writes", 0, b"lost")
            await reached(disk)
            behind = log.append("writes", 0, b"behind")
            disk.gate.set()
            with pytest.raises(LogFailed):
                await behind
        else:
            disk.gate.set()
            disk.fail_write = IO_ERROR
            in_the_block = log.append("writes", 0, b"lost")
        with pytest.raises(LogUnknown, match="writes"):
            await in_the_block
        for topic in ("writes", "events"):
            with pytest.raises(LogFailed, match="Input/output"):
                await log.append(topic, 0, b"later")
        assert len(told) == 1
        again: asyncio.Future[LogFailed] = asyncio.get_running_loop().create_future()
        log.on_failure(again.set_result)
        assert await asyncio.wait_for(again, DEADLINE) is told[0]
        assert len(log.read("writes", 0, 0, 100)) == 9
    async with opened(tmp_path) as log:
        kept = await log.fetch("writes", 0, 0, 100)
        assert [m.payload for m in kept] == [b"%d" % n for n in range(9)]


async def test_a_clock_that_raises_fails_the_log_instead_of_hanging_it(tmp_path: Path) -> None:
    def broken() -> int:
        raise ArithmeticError("no time")

    async with opened(tmp_path, clock=broken) as log:
        with pytest.raises(LogUnknown, match="no time"):
            await asyncio.wait_for(log.append("writes", 0, b"x"), DEADLINE)
        with pytest.raises(LogFailed):
            await log.append("writes", 0, b"x")


async def test_a_close_is_bounded_when_the_disk_hangs(tmp_path: Path) -> None:
    disk = StagedDisk()
    log = await EmbeddedLog.open(LogPlan(tmp_path, ("writes",), 1), SettableClock(1), disk=disk)
    disk.gate.clear()
    disk.reached.clear()
    hanging = log.append("writes", 0, b"x")
    await reached(disk)
    waiting = log.append("writes", 0, b"y")
    await asyncio.wait_for(log.close(deadline=0.05), DEADLINE)
    for future in (hanging, waiting):
        with pytest.raises(LogUnknown):
            await future
    with pytest.raises(LogRefused):
        await EmbeddedLog.open(LogPlan(tmp_path, ("writes",), 1), SettableClock(1))
    disk.gate.set()


async def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogFailed, match="file"):
        async with opened(tmp_path / "file" / "log"):
            pass


async def test_an_open_that_fails_lets_go_of_the_directory(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    path = segments(tmp_path, "events")[0]
    data = path.read_bytes()
    path.write_bytes(b"?" + data[1:])
    with pytest.raises(LogFailed, match="damaged"):
        async with opened(tmp_path):
            pass
    path.write_bytes(data)
    async with opened(tmp_path) as log:
        assert await log.append("events", 0, b"x") == 0


def open_handles() -> int:
    """Return how many files this process has open, 0 where the system does not say."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.is_dir() else 0


async def test_a_log_closed_again_and_again_keeps_no_file_open(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    before = open_handles()
    for _ in range(5):
        async with opened(tmp_path, segment_bytes=1) as log:
            await asyncio.gather(*(log.append("writes", 0, b"x") for _ in range(5)))
    after = open_handles()
    assert after == before
