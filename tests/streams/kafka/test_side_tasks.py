"""The tasks beside the log on Kafka: where one dies of what nobody foresaw, somebody hears of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest
import pytest_asyncio

from streams.kafka.connection import Connection
from streams.kafka.log import KafkaLog, KafkaPlan
from streams.kafka.poller import Poller
from streams.kafka.provision import Identity, TopicPlan
from streams.kafka.reader import Place, Reader
from streams.log import LogFailed
from streams.topics import WRITES

NOWHERE = Connection(("127.0.0.1:1",))


class ToldReader:
    """Answers that everything is empty, until it is told to fail."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def offsets(self, wanted: Mapping[Place, int]) -> dict[Place, int]:
        if self.error is not None:
            raise self.error
        return dict.fromkeys(wanted, 0)

    async def sizes(self, _: object) -> dict[str, int]:
        return {}

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def reader() -> ToldReader:
    return ToldReader()


@pytest_asyncio.fixture
async def log(reader: ToldReader) -> AsyncIterator[KafkaLog]:
    plan = KafkaPlan(NOWHERE, "test", (TopicPlan(WRITES),), 1)
    made = KafkaLog(plan, Identity("0" * 12, 1), cast(Reader, reader))
    await made._ends.open()
    yield made
    await made.close()


async def failure_of(log: KafkaLog) -> LogFailed:
    heard: asyncio.Future[LogFailed] = asyncio.get_running_loop().create_future()
    log.on_failure(heard.set_result)
    return await asyncio.wait_for(heard, 10)


async def test_who_asks_for_the_ends_dies_aloud(log: KafkaLog, reader: ToldReader) -> None:
    reader.error = ValueError("an answer nobody can read")
    failure = await failure_of(log)
    assert "an answer nobody can read" in str(failure)
    later: list[LogFailed] = []
    log.on_failure(later.append)
    assert later == [failure]


async def test_who_makes_another_producer_dies_aloud(log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise RuntimeError("no producer is like that")

    monkeypatch.setattr("streams.kafka.sender.end", broken)
    sender = log._senders[WRITES]
    sender._producer = cast(Any, object())
    sender.lost(cast(Any, sender.producer), "it did not answer")
    assert "no producer is like that" in str(await failure_of(log))


async def test_a_log_that_is_closed_has_not_failed(log: KafkaLog) -> None:
    heard: list[LogFailed] = []
    log.on_failure(heard.append)
    await log.close()
    assert heard == []


async def test_a_poller_that_can_not_be_opened_tells_who_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    poller = Poller(NOWHERE, WRITES)

    async def broken(_: object) -> None:
        raise ValueError("an address that is none")

    monkeypatch.setattr(poller._reader, "open", broken)
    with pytest.raises(ValueError, match="an address that is none"):
        async with asyncio.timeout(10):
            while True:
                poller.begin({(WRITES, 0): 0}, 1, 0.0)
                await asyncio.sleep(0)
    await poller.close()
