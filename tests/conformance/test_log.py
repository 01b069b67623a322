"""The embedded log keeps what every log promises; once as it is used, once with tiny segments and memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.embedded.log import EmbeddedLog, LogPlan
from streams.embedded.topic import TopicBounds
from streams.log import Log
from tests.conformance.log import PARTITIONS, LogSuite, OpenLog
from tests.streams.embedded.stage import SettableClock


@pytest.fixture
def plan(tmp_path: Path) -> LogPlan:
    return LogPlan(tmp_path / "log", ("writes", "events"), PARTITIONS)


@pytest.fixture
async def open_log(plan: LogPlan) -> AsyncIterator[OpenLog]:
    opened: list[Log] = []

    async def open_it() -> Log:
        opened.append(await EmbeddedLog.open(plan, SettableClock(1_000)))
        return opened[-1]

    yield open_it
    for log in opened:
        await log.close()


class TestEmbeddedLog(LogSuite):
    """As it is used."""


class TestEmbeddedLogFromDisk(LogSuite):
    """Every read goes to the disk but the newest block's, and segments roll all the time."""

    @pytest.fixture
    def plan(self, tmp_path: Path) -> LogPlan:
        bounds = TopicBounds(tail_bytes=0)
        return LogPlan(tmp_path / "log", ("writes", "events"), PARTITIONS, segment_bytes=700, bounds=bounds)
