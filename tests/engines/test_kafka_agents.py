"""The agents on Kafka: what is logged is stored once, whichever worker has a partition when."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError

from rules.signals import SilentMeter
from storage import offsets
from storage.offsets import Token
from streams.agents.partition import CHUNK_BYTES
from streams.agents.worker import Worker
from streams.awaiting import on_loop
from streams.kafka import transport
from streams.kafka.hold import GroupHold
from streams.kafka.log import KafkaLog
from streams.kafka.reader import Fetched, Reader
from streams.kafka.source import source_of
from streams.topics import WRITES
from tests.engines.kafka_floor import HEARTBEAT, SESSION, KafkaFloor, kafka_floor
from tests.engines.kafka_stage import a_plan, opened
from tests.stage.patience import eventually
from tests.streams.agents.steps import ToldStep

DEADLINE = 60.0


async def told_worker(log: KafkaLog, step: ToldStep, directory: Path) -> tuple[Worker, GroupHold]:
    """Start a worker whose step does what the test says."""
    hold = GroupHold(SESSION, HEARTBEAT)
    source = source_of(log, "told", WRITES, hold)
    worker = Worker(step, WRITES, log, source, lambda: True, SilentMeter(), directory)
    await worker.start()
    await worker.claimed()
    return worker, hold


async def test_what_is_logged_in_kafka_is_stored(data: Path, servers: str) -> None:
    async with kafka_floor(data, a_plan(servers)) as here:
        dataset = await here.dataset()
        await here.written(dataset, 0, [{"id": "before", "n": 0}])
        worker = await here.worker()
        await worker.claimed()
        for n in range(40):
            await here.written(dataset, n % 4, [{"id": f"k{n}", "n": n}])
        await eventually(lambda: len(here.rows()) == 41, DEADLINE)
        assert worker.stopped == {}


async def test_workers_that_come_and_go_store_everything_once_and_in_order(data: Path, servers: str) -> None:
    async with kafka_floor(data, a_plan(servers)) as here:
        dataset = await here.dataset()
        count = 600
        first = await here.worker()
        await first.claimed()

        async def write() -> None:
            for n in range(count):
                await here.written(dataset, n % 4, [{"id": f"k{n}", "n": n}])
                await asyncio.sleep(0.01)

        writing = asyncio.create_task(write())
        await eventually(lambda: len(here.rows()) > 20, DEADLINE)
        second = await here.worker()
        await eventually(lambda: held(second) and held(first) == {0, 1, 2, 3} - held(second), DEADLINE)
        third = await here.worker()
        await eventually(lambda: held(third), DEADLINE)
        here.workers.remove(first)
        await first.stop()
        await writing
        await eventually(lambda: held(second) | held(third) == {0, 1, 2, 3}, DEADLINE)
        await eventually(lambda: len(here.rows()) == count, DEADLINE)
        assert {row["id"]: row["n"] for row in here.rows()} == {f"k{n}": n for n in range(count)}
        assert await nexts(here) == [count // 4] * 4
        assert (second.stopped, third.stopped) == ({}, {})


async def test_generations_that_begin_anew_go_on_in_the_next_incarnation(data: Path, servers: str) -> None:
    async with kafka_floor(data, a_plan(servers, partitions=1)) as here:
        dataset = await here.dataset()
        token = Token(0, 1000)
        await on_loop(here.store.write(lambda c: offsets.claim(c, here.log.identity, "persist", 0, token, 0)))
        worker = await here.worker()
        await here.written(dataset, 0, [{"id": "a", "n": 1}])
        await worker.claimed()
        await eventually(lambda: len(here.rows()) == 1, DEADLINE)
        [place] = await on_loop(here.store.read(lambda c: offsets.places(c, here.log.identity)))
        assert place.token.incarnation == 1
        assert place.token.generation < 1000


async def test_a_worker_without_room_holds_little_and_stays_in_its_group(
    data: Path, servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[int] = []
    fetch = Reader.fetch

    async def counted(*args: Any, **kwargs: Any) -> Any:
        found = await fetch(*args, **kwargs)
        came.extend(
            len(m.payload) for one in found.values() if isinstance(one, Fetched) for m in one.messages
        )
        return found

    monkeypatch.setattr(Reader, "fetch", counted)
    monkeypatch.setattr(transport, "POLLS_WITHIN", 2.0)
    async with opened(a_plan(servers)) as log:
        step = ToldStep()
        step.gate.clear()
        worker, hold = await told_worker(log, step, data / "faust")
        generation = hold.generation
        payload = bytes(900_000)
        await asyncio.gather(*(log.append(WRITES, n % 4, payload) for n in range(40)))
        await eventually(lambda: step.calls == 4, DEADLINE)
        loop = asyncio.get_running_loop()
        end = loop.time() + 3 * SESSION
        while loop.time() < end:
            assert hold.ask is not None and await hold.ask(generation)
            await asyncio.sleep(HEARTBEAT)
        assert step.calls == 4
        # at most a chunk in hand and one behind it, and what a long poll brought twice
        assert sum(came) <= 3 * 4 * CHUNK_BYTES < 40 * len(payload)
        step.gate.set()
        await eventually(lambda: len(step.applied) == 40, DEADLINE)
        assert hold.generation == generation
        await worker.stop()


async def test_a_member_that_has_given_up_ends_its_worker_instead_of_falling_silent(
    data: Path, servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(a_plan(servers)) as log:
        worker, _ = await told_worker(log, ToldStep(), data / "faust")

        async def refused(_: object) -> bool:
            raise KafkaError("Unexpected exception in heartbeat task")

        monkeypatch.setattr(GroupCoordinator, "_do_heartbeat", refused)
        with pytest.raises(RuntimeError, match="heartbeat task"):
            await asyncio.wait_for(worker.ended(), DEADLINE)
        monkeypatch.undo()
        await worker.stop()


def held(worker: Worker) -> set[int]:
    """Return the partitions that a worker has claimed."""
    return {p for p in range(4) if worker.applied(p) is not None}


async def nexts(here: KafkaFloor) -> list[int]:
    """Return how far persist is in each partition, as the database has it."""
    places = await on_loop(here.store.read(lambda c: offsets.places(c, here.log.identity)))
    return [place.next for place in sorted(places, key=lambda place: place.partition)]
