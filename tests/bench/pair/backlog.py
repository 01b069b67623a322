"""A backlog in the log that nobody applies yet, and workers that catch up with it.

What they have done is asked of the database: a worker that gives a partition away in the middle of a commit
does not count what it has just stored.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.bench.load import Load, Shot, run_load
from tests.bench.pair.batches import shots as stored_batches
from tests.bench.pair.stand import Engines, process, rig_of
from tests.bench.rig import PARTITIONS, Rig
from tests.bench.usage import cpu_seconds
from tests.stage.process import Broker

CONNECTIONS: Final = 8
SLICE: Final = 4.0
"""Seconds of one load: a backlog is made of as many as it takes."""

LOOK_EVERY: Final = 0.1
QUIET: Final = 0.5
STUCK_AFTER: Final = 60.0
BOUNDLESS: Final = {"backlog_bytes": "1024GB", "backlog_age": "10h"}


class CaughtUp(NamedTuple):
    """Records, the seconds that they took, and the workers' seconds of CPU meanwhile.

    Counted from when something was stored and every worker was ready.
    """

    records: float
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds


@dataclass(frozen=True, slots=True)
class Waiting:
    """A backlog: its workers' environment, its records and messages, and how many a second were taken."""

    env: dict[str, str]
    records: int
    messages: int
    rate: float


@asynccontextmanager
async def waiting(
    engines: Engines, datasets: Sequence[str], records: int, partitions: int = PARTITIONS
) -> AsyncIterator[Waiting]:
    """Have at least so many records taken, to the datasets in turn, by a process that only receives."""
    env = engines.fresh(partitions=str(partitions), **BOUNDLESS)
    async with rig_of(env, "api") as door:
        await door.rule(datasets[0])
        shots = logged(list(datasets))
        for shot in shots:  # the first batch of a dataset makes it, which takes a while
            await door.ask("POST", shot.path, msgspec.Raw(shot.body))
        load = Load(door.url, shots, door.headers, CONNECTIONS, SLICE)
        begun = perf_counter()
        while (there := await door.accepted()) < records:
            await run_load(load)
        rate = there / (perf_counter() - begun)
        yield Waiting(env, await _settled(door), await _messages(engines, env), rate)


def logged(datasets: list[str]) -> list[Shot]:
    """Return requests of a batch each that are answered once they are logged."""
    return [
        Shot(shot.path.replace("/v1/write/", "/v1/record/").partition("?")[0], shot.body)
        for shot in stored_batches(datasets)
    ]


async def catch_up(backlog: Waiting, workers: int) -> CaughtUp:
    """Start workers and wait until all is stored.

    Raises: RuntimeError, where nothing moves for a minute, or not as many records are there as were taken.
    """
    async with AsyncExitStack() as stack:
        database = stack.enter_context(psycopg.connect(backlog.env["SLUICE_DATABASE"], autocommit=True))
        running = [process(backlog.env, "work").start(wait=False) for _ in range(workers)]
        for worker in running:
            stack.callback(worker.close)
        await asyncio.gather(*(asyncio.to_thread(worker.until_ready) for worker in running))
        first = await _beyond(database, 0)
        begun, used = perf_counter(), _used(running)
        there = first
        while there < backlog.messages:
            there = await _beyond(database, there)
        seconds, cpu = perf_counter() - begun, _used(running) - used
        stored = _rows(database)
        if stored != backlog.records:
            raise RuntimeError(f"{backlog.records} records were taken, and {stored} are stored.")
        return CaughtUp(backlog.records * (1 - first / backlog.messages), seconds, cpu)


async def _settled(door: Rig) -> int:
    """Return how many records were taken, once no more come: some are on their way when a load ends."""
    taken = -1
    while taken != (now := await door.accepted()):
        taken = now
        await asyncio.sleep(QUIET)
    return taken


async def _messages(engines: Engines, env: dict[str, str]) -> int:
    """Return how many messages the log of writes has."""
    prefix = env["SLUICE_KAFKA_PREFIX"]
    consumer = AIOKafkaConsumer(bootstrap_servers=engines.servers)
    await consumer.start()
    try:
        names = await consumer.topics()
        [topic] = [name for name in names if name.startswith(f"{prefix}.") and name.endswith(".writes")]
        partitions = [TopicPartition(topic, number) for number in range(int(env["SLUICE_PARTITIONS"]))]
        return sum((await consumer.end_offsets(partitions)).values())
    finally:
        await consumer.stop()


async def _beyond(database: "psycopg.Connection[Any]", before: int) -> int:
    """Return how many messages are applied, once there are more than before. Raises: RuntimeError."""
    end = perf_counter() + STUCK_AFTER
    while (there := _applied(database)) <= before:
        if perf_counter() > end:
            raise RuntimeError(f"{there} messages are applied, and no more come.")
        await asyncio.sleep(LOOK_EVERY)
    return there


def _applied(database: "psycopg.Connection[Any]") -> int:
    query = "SELECT coalesce(sum(next), 0)::bigint FROM offsets WHERE role = 'persist'"
    found = database.execute(query).fetchone()
    assert found is not None
    return int(found[0])


def _rows(database: "psycopg.Connection[Any]") -> int:
    names = database.execute(r"SELECT tablename FROM pg_tables WHERE tablename ~ '^d\d+$'").fetchall()
    counts = (database.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() for (name,) in names)
    return sum(int(count[0]) for count in counts if count is not None)


def _used(workers: list[Broker]) -> float:
    return sum(cpu_seconds(worker.pid) for worker in workers)
