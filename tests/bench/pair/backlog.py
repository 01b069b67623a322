"""A backlog in the log that nobody applies yet, and workers that catch up with it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import Final, NamedTuple

from aiohttp import ClientError, ClientSession

from tests.bench.load import Load, Shot, run_load
from tests.bench.pair.batches import shots
from tests.bench.pair.stand import Engines, process, rig_of
from tests.bench.rig import PARTITIONS, Rig
from tests.bench.usage import cpu_seconds
from tests.stage.process import Broker

CONNECTIONS: Final = 8
SLICE: Final = 2.0
"""Seconds of one load: a backlog is made of as many as it takes."""

LOOK_EVERY: Final = 0.1
STUCK_AFTER: Final = 60.0
BOUNDLESS: Final = {"backlog_bytes": "1024GB", "backlog_age": "10h"}


class CaughtUp(NamedTuple):
    """Records, the seconds that they took, and the workers' seconds of CPU meanwhile.

    Counted from when the first one was stored and every worker was ready.
    """

    records: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds


@asynccontextmanager
async def receiving(
    engines: Engines, partitions: int = PARTITIONS
) -> AsyncIterator[tuple[Rig, dict[str, str]]]:
    """Run a process that only receives; yield it and the environment of workers beside it."""
    env = engines.fresh(partitions=str(partitions), **BOUNDLESS)
    async with rig_of(env, "api") as door:
        yield door, env


async def fill(door: Rig, datasets: Sequence[str], records: int) -> int:
    """Have at least so many records taken, to the datasets in turn; return how many were."""
    before = await door.accepted()
    load = Load(door.url, logged(list(datasets)), door.headers, CONNECTIONS, SLICE)
    while (taken := await door.accepted() - before) < records:
        await run_load(load)
    return taken


def logged(datasets: list[str]) -> list[Shot]:
    """Return requests of a batch each that are answered once they are logged."""
    return [
        Shot(shot.path.replace("/v1/write/", "/v1/record/").partition("?")[0], shot.body)
        for shot in shots(datasets)
    ]


async def catch_up(env: dict[str, str], workers: int, wanted: int) -> CaughtUp:
    """Start workers and wait until so many records are stored.

    Raises: RuntimeError, where nothing moves for a minute.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession())
        running = [process(env, "work").start(wait=False) for _ in range(workers)]
        for worker in running:
            stack.callback(worker.close)
        await asyncio.gather(*(asyncio.to_thread(worker.until_ready) for worker in running))
        first = await _some(session, running)
        begun, used = perf_counter(), _used(running)
        before, moved = first, begun
        while (there := await _stored(session, running)) < wanted:
            now = perf_counter()
            if there != before:
                before, moved = there, now
            if now - moved > STUCK_AFTER:
                raise RuntimeError(f"Of {wanted} records {there} are stored, and no more come.")
            await asyncio.sleep(LOOK_EVERY)
        return CaughtUp(there - first, perf_counter() - begun, _used(running) - used)


async def _some(session: ClientSession, workers: list[Broker]) -> int:
    end = perf_counter() + STUCK_AFTER
    while not (found := await _stored(session, workers)):
        if perf_counter() > end:
            raise RuntimeError("The workers stored nothing in a minute.")
        await asyncio.sleep(LOOK_EVERY)
    return found


async def _stored(session: ClientSession, workers: list[Broker]) -> int:
    found = 0
    for worker in workers:
        try:
            async with session.get(f"{worker.url}/metrics") as answer:
                lines = (await answer.text()).splitlines()
        except ClientError as error:
            raise RuntimeError(f"A worker does not answer: {error}: {worker.logs[-500:]}") from error
        found += sum(int(float(x.split()[-1])) for x in lines if x.startswith("sluice_records_stored_total"))
    return found


def _used(workers: list[Broker]) -> float:
    return sum(cpu_seconds(worker.pid) for worker in workers)
