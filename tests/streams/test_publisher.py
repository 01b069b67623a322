"""Group commit: what arrives together shares an envelope, and what the log says reaches everybody."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from rules.envelope import PERSIST, Handling, Write
from rules.errors import Problem
from streams.backlog import Backlog
from streams.log import Log, LogError, LogFailed, LogRefused, LogUnknown
from streams.publisher import Publisher
from streams.topics import WRITES
from streams.wire import encode, read_envelope
from tests.streams.embedded.stage import opened

MOST = 10_000


class HeldLog:
    """A log whose appends end when a test says so."""

    partitions = 2

    def __init__(self) -> None:
        self.appended: list[tuple[int, bytes, asyncio.Future[int]]] = []

    def append(self, topic: str, partition: int, payload: bytes) -> asyncio.Future[int]:
        assert topic == WRITES
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.appended.append((partition, payload, future))
        return future


def entry(number: int, size: int = 10) -> bytes:
    records = [{"n": number, "x": "x" * size}]
    return encode(Write(str(number), "w", "d", 1, 1, 0, PERSIST, Handling.IGNORE, records))


def numbers(payload: bytes) -> list[int]:
    return [one.records[0]["n"] for one in read_envelope(payload).entries if isinstance(one, Write)]


def made(most: int = MOST, linger: float = 0.0, deadline: float = 30.0) -> tuple[HeldLog, Backlog, Publisher]:
    log, backlog = HeldLog(), Backlog(2, 1_000_000, 60.0)
    return log, backlog, Publisher(cast(Log, log), backlog, most, linger, deadline)


async def turned() -> None:
    """Let everything run that can run now."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_arrives_together_shares_an_envelope() -> None:
    log, _, publisher = made()
    futures = [publisher.publish(0, entry(i), "w") for i in range(5)]
    await turned()
    assert [numbers(payload) for _, payload, _ in log.appended] == [[0, 1, 2, 3, 4]]
    log.appended[0][2].set_result(17)
    assert await asyncio.gather(*futures) == [17] * 5


async def test_what_arrives_meanwhile_goes_into_the_next_in_its_order() -> None:
    log, _, publisher = made()
    publisher.publish(0, entry(0), "w")
    await turned()
    late = [publisher.publish(0, entry(i), "w") for i in (1, 2, 3)]
    await turned()
    assert len(log.appended) == 1, "one envelope of a partition is under way at a time"
    log.appended[0][2].set_result(0)
    await turned()
    assert [numbers(payload) for _, payload, _ in log.appended] == [[0], [1, 2, 3]]
    log.appended[1][2].set_result(1)
    assert await asyncio.gather(*late) == [1, 1, 1]


async def test_partitions_do_not_wait_for_each_other() -> None:
    log, _, publisher = made()
    publisher.publish(0, entry(0), "w")
    publisher.publish(1, entry(1), "w")
    await turned()
    assert [(p, numbers(payload)) for p, payload, _ in log.appended] == [(0, [0]), (1, [1])]


async def test_an_envelope_is_cut_at_its_size() -> None:
    log, _, publisher = made()
    for i in range(9):
        publisher.publish(0, entry(i, MOST // 4), "w")
    await turned()
    while (future := log.appended[-1][2]) and not future.done():
        future.set_result(len(log.appended))
        await turned()
    cut = [numbers(payload) for _, payload, _ in log.appended]
    assert [n for part in cut for n in part] == list(range(9))
    assert [len(part) for part in cut] == [3, 3, 3]
    assert all(len(payload) <= MOST + 64 for _, payload, _ in log.appended)


async def test_a_single_larger_entry_goes_alone() -> None:
    log, _, publisher = made()
    for i, size in enumerate((10, MOST * 2, 10)):
        publisher.publish(0, entry(i, size), "w")
    await turned()
    while (future := log.appended[-1][2]) and not future.done():
        future.set_result(len(log.appended))
        await turned()
    assert [numbers(payload) for _, payload, _ in log.appended] == [[0], [1], [2]]


async def test_an_entry_that_must_be_alone_is() -> None:
    log, _, publisher = made()
    for i in range(5):
        publisher.publish(0, entry(i), "w", alone=i in (1, 2))
    await turned()
    while (future := log.appended[-1][2]) and not future.done():
        future.set_result(len(log.appended))
        await turned()
    assert [numbers(payload) for _, payload, _ in log.appended] == [[0], [1], [2], [3, 4]]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LogRefused("too much waits"), "log_unavailable"),
        (LogUnknown("the disk hangs"), "outcome_unknown"),
        (LogFailed("the disk failed"), "outcome_unknown"),
    ],
)
async def test_what_the_log_refuses_everybody_in_the_envelope_is_told(error: LogError, code: str) -> None:
    log, backlog, publisher = made()
    futures = [publisher.publish(0, entry(i), "w") for i in range(2)]
    await turned()
    log.appended[0][2].set_exception(error)
    for future in futures:
        with pytest.raises(Problem) as told:
            await future
        assert told.value.code.name == code
        assert told.value.extra.get("outcome") == ("unknown" if code == "outcome_unknown" else None)
    assert backlog.size(0) == 0
    again = publisher.publish(0, entry(9), "w")
    await turned()
    log.appended[1][2].set_result(3)
    assert await again == 3


async def test_an_append_that_does_not_end_in_time_is_unknown_and_what_waits_behind_it_was_not_written() -> (
    None
):
    log, backlog, publisher = made(deadline=0.05)
    under_way = publisher.publish(0, entry(0), "w")
    await turned()
    behind = publisher.publish(0, entry(1), "w")
    other = publisher.publish(1, entry(2), "w")
    await turned()
    log.appended[1][2].set_result(7)
    assert await asyncio.wait_for(other, 5) == 7, "another partition does not wait for it"
    for future, code in ((under_way, "outcome_unknown"), (behind, "log_unavailable")):
        with pytest.raises(Problem) as told:
            await asyncio.wait_for(future, 5)
        assert told.value.code.name == code
    with pytest.raises(Problem) as told:
        await asyncio.wait_for(publisher.publish(0, entry(3), "w"), 5)
    assert told.value.code.name == "log_unavailable"
    log.appended[0][2].set_result(4)
    await turned()
    assert backlog.size(0) == len(entry(0)), "what was logged late is known to wait for the store"
    last = publisher.publish(0, entry(4), "w")
    await turned()
    log.appended[2][2].set_result(5)
    assert await last == 5
    assert [numbers(payload) for _, payload, _ in log.appended] == [[0], [2], [4]]


async def test_an_append_that_ends_in_time_is_not_overdue_later(monkeypatch: pytest.MonkeyPatch) -> None:
    log, _, publisher = made()
    timers: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def noted(delay: float, callback: Callable[..., object], *given: Any) -> asyncio.TimerHandle:
        timers.append(later(delay, callback, *given))
        return timers[-1]

    monkeypatch.setattr(loop, "call_later", noted)
    first = publisher.publish(0, entry(0), "w")
    await turned()
    (overdue,) = timers
    assert not overdue.cancelled()
    log.appended[0][2].set_result(0)
    assert await first == 0
    assert overdue.cancelled()


async def test_a_caller_that_went_away_disturbs_nobody() -> None:
    log, _, publisher = made()
    gone, there = publisher.publish(0, entry(0), "w"), publisher.publish(0, entry(1), "w")
    gone.cancel()
    await turned()
    log.appended[0][2].set_result(4)
    assert await there == 4
    assert numbers(log.appended[0][1]) == [0, 1]


async def test_linger_gathers_what_comes_shortly_after() -> None:
    log, _, publisher = made(linger=0.05)
    first = publisher.publish(0, entry(0), "w")
    await _until(lambda: len(log.appended) == 1)
    log.appended[0][2].set_result(0)
    await first
    publisher.publish(0, entry(1), "w")
    await turned()
    publisher.publish(0, entry(2), "w")
    await turned()
    assert len(log.appended) == 1
    await _until(lambda: len(log.appended) == 2)
    assert numbers(log.appended[1][1]) == [1, 2]


async def test_the_backlog_knows_what_was_logged_by_workspace() -> None:
    log, backlog, publisher = made()
    futures = [publisher.publish(0, entry(i), name) for i, name in enumerate(("a", "B", "A"))]
    await turned()
    log.appended[0][2].set_result(5)
    await asyncio.gather(*futures)
    assert backlog.size(0) == sum(len(entry(i)) for i in range(3))
    backlog.passed(0, 5)
    assert backlog.size(0) > 0
    backlog.passed(0, 6)
    assert backlog.size(0) == 0


async def test_on_a_real_log_what_was_published_is_there_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path / "log") as log:
        publisher = Publisher(log, Backlog(2, 10**9, 60.0), MOST)
        futures = []
        for i in range(300):
            futures.append(publisher.publish(i % 2, entry(i, 200), "w"))
            if i % 7 == 0:
                await asyncio.sleep(0)
        offsets = await asyncio.gather(*futures)
        for partition in (0, 1):
            messages = await log.fetch(WRITES, partition, 0, 10**9)
            found = [(m.offset, n) for m in messages for n in numbers(m.payload)]
            assert found == [(offsets[i], i) for i in range(partition, 300, 2)]
            assert len(messages) < 150


async def _until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.001)
