"""The log on Kafka keeps what every log promises, and what only it has: names, identity, partitions."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams.kafka import outbox
from streams.kafka.log import KafkaLog
from streams.kafka.sender import Manner
from streams.log import Log, LogOutOfRange, LogRefused
from tests.conformance.log import PARTITIONS, LogSuite, OpenLog, read_all
from tests.engines.kafka_stage import a_plan, opened


@pytest.fixture
async def open_log(servers: str) -> AsyncIterator[OpenLog]:
    opened: list[Log] = []
    plan = a_plan(servers, PARTITIONS)

    async def open_it() -> Log:
        opened.append(await KafkaLog.open(plan))
        return opened[-1]

    yield open_it
    for log in opened:
        await log.close()


class TestKafkaLog(LogSuite):
    """As it is used."""


async def test_of_two_that_make_a_log_at_once_both_have_the_same(servers: str) -> None:
    async with opened(a_plan(servers)) as third:
        pass
    fresh = a_plan(servers)
    logs = await asyncio.gather(*(KafkaLog.open(fresh) for _ in range(3)))
    assert len({log.identity for log in logs}) == 1
    assert logs[0].identity != third.identity
    assert await logs[0].append("writes", 0, b"x") == 0
    assert await logs[1].append("writes", 0, b"y") == 1
    assert await logs[2].measure("writes", 0) == (0, 2)
    await asyncio.gather(*(log.close() for log in logs))


async def test_another_number_of_partitions_is_refused_with_the_number_to_set(servers: str) -> None:
    plan = a_plan(servers, partitions=3)
    async with opened(plan):
        pass
    with pytest.raises(LogRefused, match="set SLUICE_PARTITIONS to 3"):
        await KafkaLog.open(replace(plan, partitions=4))


async def test_a_topic_whose_partitions_somebody_changed_is_refused_by_name(servers: str) -> None:
    plan = a_plan(servers, partitions=2)
    async with opened(plan) as log:
        name = log.name_of("writes")
    admin = AIOKafkaAdminClient(bootstrap_servers=list(plan.connection.servers))
    await admin.start()
    await admin.create_partitions({name: NewPartitions(total_count=5)})
    await admin.close()
    with pytest.raises(LogRefused, match=re.escape(name)):
        await KafkaLog.open(plan)


async def test_more_copies_than_brokers_are_refused_in_kafkas_words(servers: str) -> None:
    with pytest.raises(LogRefused, match="does not make the topic"):
        await KafkaLog.open(a_plan(servers, replication=5))


async def test_what_another_process_appends_is_watched_and_bounded_here(servers: str) -> None:
    plan = a_plan(servers)
    async with opened(plan) as here, opened(plan) as there:
        told: asyncio.Queue[int] = asyncio.Queue()
        here.watch("events", told.put_nowait)
        await there.append("events", 2, b"x")
        assert await asyncio.wait_for(told.get(), 30) == 2
        assert here.bounds("events", 2) == (0, 1)


async def test_a_trim_ends_at_the_offset_and_what_is_below_is_out_of_range(servers: str) -> None:
    async with opened(a_plan(servers)) as log:
        for n in range(20):
            await log.append("writes", 1, str(n).encode())
        await log.trim("writes", {1: 15})
        assert await log.measure("writes", 1) == (15, 20)
        assert next(m.payload for m in await log.fetch("writes", 1, 15, 10_000)) == b"15"
        with pytest.raises(LogOutOfRange):
            await log.fetch("writes", 1, 14, 100)
        await log.trim("writes", {1: 10})
        assert log.bounds("writes", 1)[0] == 15


async def test_a_trim_by_age_drops_what_is_older_and_never_beyond_the_offset(servers: str) -> None:
    async with opened(a_plan(servers)) as log:
        for _ in range(4):
            await log.append("events", 0, b"x")
        stamps = [m.stamp for m in await log.fetch("events", 0, 0, 10_000)]
        await log.trim("events", {0: 4}, older_than=stamps[0])
        assert log.bounds("events", 0)[0] == 0
        await log.trim("events", {0: 3}, older_than=stamps[-1] + 3_600_000)
        assert log.bounds("events", 0)[0] == 3


async def test_stamps_are_the_brokers_own(servers: str) -> None:
    async with opened(a_plan(servers)) as log:
        before = time.time_ns() // 1_000_000
        await log.append("writes", 0, b"x")
        [message] = await log.fetch("writes", 0, 0, 100)
        assert before - 1 <= message.stamp <= time.time_ns() // 1_000_000 + 1


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_whatever_the_compression_what_was_appended_is_read(servers: str, codec: str) -> None:
    payloads = [bytes([n % 7]) * 10_000 for n in range(100)]
    async with opened(a_plan(servers, manner=Manner(compression=codec))) as log:
        await asyncio.gather(*(log.append("writes", 0, payload) for payload in payloads))
        found = await read_all(log, "writes", 0, 50_000)
        assert [m.payload for m in found] == payloads
        assert [m.offset for m in found] == list(range(100))


async def test_more_than_may_wait_is_refused(servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "WAITING_BYTES", 100_000)
    async with opened(a_plan(servers)) as log:
        waiting = [log.append("writes", 0, bytes(10_000)) for _ in range(30)]
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert any(isinstance(end, LogRefused) for end in ended)
        logged = [end for end in ended if isinstance(end, int)]
        assert logged == list(range(len(logged)))
        assert await log.append("writes", 0, b"x") == len(logged)
