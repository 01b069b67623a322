"""Live events go on after the log was away: nothing is told twice, and nothing of before."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from api.feeds import live
from api.feeds.live import HELD, Listener, LiveEvents
from rules.envelope import Happened
from streams.embedded.log import EmbeddedLog
from streams.log import LogAway, Message
from streams.receipts import Receipts
from streams.topics import EVENTS
from streams.wire import encode, join
from tests.stage.patience import eventually
from tests.storage.database import opened as database
from tests.streams.embedded.stage import opened


class AwayAtTimes:
    """A log that answers but when it is told not to."""

    def __init__(self, log: EmbeddedLog) -> None:
        self._log = log
        self.away = False
        self.refused = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    async def fetch(self, topic: str, partition: int, offset: int, most: int) -> list[Message]:
        if self.away:
            self.refused += 1
            raise LogAway("Kafka does not answer")
        return await self._log.fetch(topic, partition, offset, most)


def happened(offset: int) -> bytes:
    return join([encode(Happened(1, offset, "w", "d", 0, 1, True, [0], [{"n": offset}]))])


async def test_live_events_wait_while_the_log_is_away_and_repeat_nothing_of_before(
    tmp_path: Path,
) -> None:
    with database(tmp_path / "sluice.db") as store:
        async with opened(tmp_path / "log", partitions=1) as log:
            flaky, receipts = AwayAtTimes(log), Receipts(1)
            receipts.passed(0, 100)
            await log.append(EVENTS, 0, happened(0))
            events = LiveEvents(flaky, store, receipts)  # type: ignore[arg-type]
            listener = events.listen("w", None)
            await asyncio.sleep(0)
            flaky.away = True
            await log.append(EVENTS, 0, happened(1))
            await eventually(lambda: flaky.refused > 0)
            flaky.away = False
            await eventually(lambda: bool(listener.waiting), deadline=5 * live.AGAIN + 5)
            await log.append(EVENTS, 0, happened(2))
            await eventually(lambda: len(listener.waiting) == 2)
            assert [b'"n":1' in listener.waiting[0], b'"n":2' in listener.waiting[1]] == [True, True]
            assert flaky.refused < 5
            events.close()


async def heard(tmp_path: Path, records: list[dict[str, Any]], *, taking: bool) -> tuple[Listener, bytes]:
    """Write one event of records for a reader who takes them, or does not; return it and what it took."""
    with database(tmp_path / "sluice.db") as store:
        async with opened(tmp_path / "log", partitions=1) as log:
            receipts = Receipts(1)
            receipts.passed(0, 100)
            events = LiveEvents(log, store, receipts)
            listener = events.listen("w", None)
            await asyncio.sleep(0)
            places = list(range(len(records)))
            await log.append(EVENTS, 0, join([encode(Happened(1, 1, "w", "d", 0, 1, True, places, records))]))
            taken: list[bytes] = []

            def all_of_it() -> bool:
                while taking and listener.waiting:
                    taken.append(listener.take())
                return listener.lost or b"".join(taken).count(b"event: record") == len(records)

            await eventually(all_of_it, 20)
            events.close()
            return listener, b"".join(taken)


@pytest.mark.parametrize("records", [[{"s": "x" * 950}] * 2_000, [{"s": "x" * 1_048_480}]])
async def test_a_reader_that_takes_what_comes_gets_all_of_a_large_write(
    tmp_path: Path, records: list[dict[str, Any]]
) -> None:
    listener, taken = await heard(tmp_path, records, taking=True)
    assert not listener.lost
    assert taken.count(b"event: record") == len(records)


async def test_a_reader_that_takes_nothing_is_let_go_and_not_waited_for_again(tmp_path: Path) -> None:
    listener, _ = await heard(tmp_path, [{"s": "x" * 950}] * 2_000, taking=False)
    assert listener.lost
    assert listener.has_room(HELD), "nobody waits for one that is lost"
