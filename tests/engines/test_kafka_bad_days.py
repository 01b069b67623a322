"""Kafka on bad days: killed and started again, stopped and continued, gone while a worker sleeps."""

import asyncio
import os
import signal
from pathlib import Path

from infra.dev.kafka import Kafka
from streams.kafka.log import KafkaLog
from streams.log import LogError, LogRefused, LogUnknown
from streams.topics import EVENTS, WRITES
from tests.conformance.log import read_all
from tests.engines.kafka_floor import kafka_floor
from tests.engines.kafka_stage import a_plan, opened
from tests.stage.patience import eventually

DEADLINE = 90.0


async def start(kafka: Kafka) -> None:
    await asyncio.to_thread(kafka.up)


def kill(kafka: Kafka, number: signal.Signals = signal.SIGKILL) -> None:
    assert kafka.pid is not None
    os.kill(kafka.pid, number)


async def tried(log: KafkaLog, topic: str, partition: int, payload: bytes) -> LogError | int:
    """Append, and return how it ended."""
    try:
        return await log.append(topic, partition, payload)
    except LogError as error:
        return error


async def test_a_killed_broker_loses_nothing_acknowledged_and_the_log_recovers_alone(
    kafka: Kafka, servers: str
) -> None:
    async with opened(a_plan(servers)) as log:
        said: list[str | None] = []
        log.watched_by(said.append)
        ended: dict[bytes, LogError | int] = {}

        async def write(writer: int) -> None:
            n = 0
            while not stop.is_set():
                payload = f"{writer}/{n}".encode()
                ended[payload] = await tried(log, WRITES, writer % 4, payload)
                await asyncio.sleep(0 if isinstance(ended[payload], int) else 0.1)
                n += 1
            counts[writer] = n

        counts: dict[int, int] = {}
        stop = asyncio.Event()
        writers = [asyncio.create_task(write(n)) for n in range(8)]
        await eventually(lambda: len(ended) > 500, DEADLINE)
        kill(kafka)
        await eventually(lambda: bool(said) and said[-1] is not None, DEADLINE)
        await eventually(lambda: any(isinstance(e, LogRefused) for e in ended.values()), DEADLINE)
        await start(kafka)
        before = len([e for e in ended.values() if isinstance(e, int)])
        await eventually(lambda: said[-1] is None, DEADLINE)
        await eventually(lambda: sum(isinstance(e, int) for e in ended.values()) > before + 500, DEADLINE)
        stop.set()
        await asyncio.gather(*writers)

        kept = [{m.payload: m.offset for m in await read_all(log, WRITES, p, 1_000_000)} for p in range(4)]
        for payload, end in ended.items():
            there = kept[int(payload.split(b"/")[0]) % 4].get(payload)
            if isinstance(end, int):
                assert there == end, f"{payload!r} was acknowledged at {end}"
            elif isinstance(end, LogRefused):
                assert there is None, f"{payload!r} was refused: {end}"
        assert any(isinstance(end, LogUnknown) for end in ended.values())
        for payload, end in ended.items():
            writer, n = (int(part) for part in payload.split(b"/"))
            landed = kept[writer % 4].get(payload)
            if isinstance(end, LogUnknown) and landed is not None:
                behind = [ended[b"%d/%d" % (writer, m)] for m in range(n + 1, counts[writer])]
                assert all(landed < o for o in behind if isinstance(o, int)), f"{payload!r} came too late"


async def test_an_append_whose_end_is_not_seen_is_unknown_and_nothing_comes_out_of_turn_after(
    kafka: Kafka, servers: str
) -> None:
    async with opened(a_plan(servers, partitions=1)) as log:
        await log.append(WRITES, 0, b"before")
        kill(kafka, signal.SIGSTOP)
        try:
            given_up = await tried(log, WRITES, 0, b"unknown")
            assert isinstance(given_up, LogUnknown)
            while_away = await tried(log, WRITES, 0, b"refused")
            assert isinstance(while_away, LogRefused)
        finally:
            kill(kafka, signal.SIGCONT)
        await eventually(lambda: appended(log, b"after"), DEADLINE)
        kept = [m.payload for m in await read_all(log, WRITES, 0, 1_000_000)]
        assert kept.count(b"before") == kept.count(b"after") == 1
        assert kept.count(b"unknown") <= 1
        assert b"refused" not in kept


async def test_what_was_given_up_while_the_broker_was_down_does_not_land_once_it_is_back(
    kafka: Kafka, servers: str
) -> None:
    async with opened(a_plan(servers, partitions=1)) as log:
        await log.append(WRITES, 0, b"before")
        kill(kafka)
        await eventually(lambda: kafka.pid is None, DEADLINE)
        assert isinstance(await tried(log, WRITES, 0, b"given up"), LogUnknown)
        await start(kafka)
        await eventually(lambda: appended(log, b"after"), DEADLINE)
        for _ in range(20):
            await log.append(WRITES, 0, b"after")
            await asyncio.sleep(0.1)
        assert {m.payload for m in await read_all(log, WRITES, 0, 1_000_000)} == {b"before", b"after"}


async def test_one_roles_unknown_append_ends_nothing_of_another_role(kafka: Kafka, servers: str) -> None:
    async with opened(a_plan(servers, partitions=1)) as log:
        sender = log._senders[WRITES]
        producer = sender.producer
        assert producer is not None
        sender.lost(producer, "the test says so")
        assert await log.append(EVENTS, 0, b"e") == 0
        await eventually(lambda: sender.producer is not None, DEADLINE)
        assert sender.producer is not producer
        assert await log.append(WRITES, 0, b"w") == 0


async def test_workers_go_on_alone_after_the_broker_was_away_and_store_each_record_once(
    data: Path, kafka: Kafka, servers: str
) -> None:
    async with kafka_floor(data, a_plan(servers)) as here:
        dataset = await here.dataset()
        worker = await here.worker()
        await worker.claimed()
        logged: list[int] = []

        async def write(first: int, count: int) -> None:
            for n in range(first, first + count):
                try:
                    await here.written(dataset, n % 4, [{"id": f"k{n}", "n": n}])
                except LogError:
                    await asyncio.sleep(0.1)
                else:
                    logged.append(n)

        await write(0, 100)
        kill(kafka)
        await write(100, 10)
        await start(kafka)
        before = len(logged)
        for n in range(200, 1_000_000):
            await write(n, 1)
            if len(logged) >= before + 100:
                break
        wanted = set(logged)
        await eventually(lambda: {row["n"] for row in here.rows()} >= wanted, DEADLINE)
        rows = [row["n"] for row in here.rows()]
        assert len(rows) == len(set(rows))
        assert worker.stopped == {}


async def appended(log: KafkaLog, payload: bytes) -> bool:
    """Return whether Kafka takes appends again."""
    return isinstance(await tried(log, WRITES, 0, payload), int)
