"""A worker's partitions while others join and leave."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from rules.signals import SilentMeter
from streams.agents.worker import Source, Worker
from streams.topics import WRITES
from tests.stage.patience import eventually
from tests.streams.agents.steps import ToldStep
from tests.streams.embedded.stage import opened


class SlowStep(ToldStep):
    """Claims only what it is let claim."""

    def __init__(self) -> None:
        super().__init__()
        self.lets = {0: asyncio.Event(), 1: asyncio.Event()}

    async def claim(self, partition: int) -> int:
        await self.lets[partition].wait()
        return await super().claim(partition)


@pytest_asyncio.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    async with opened(tmp_path / "log") as log:
        source = Source("embedded://", WRITES, "told")
        made = Worker(SlowStep(), WRITES, log, source, lambda: True, SilentMeter(), tmp_path / "faust")
        yield made
        await made.assigned([])


def step_of(worker: Worker) -> SlowStep:
    step = worker._step
    assert isinstance(step, SlowStep)
    return step


async def test_a_start_waits_only_for_the_partitions_that_are_left_to_it(worker: Worker) -> None:
    starting = asyncio.create_task(worker.claimed())
    await worker.assigned([0, 1])
    step_of(worker).lets[0].set()
    await eventually(lambda: worker.applied(0) == 0)
    assert not starting.done()
    await worker.assigned([0])  # another worker has joined
    await asyncio.wait_for(starting, 10)
    assert (worker.applied(0), worker.applied(1)) == (0, None)


async def test_a_start_waits_for_the_partitions_that_were_added_to_it_too(worker: Worker) -> None:
    starting = asyncio.create_task(worker.claimed())
    await worker.assigned([0])
    await worker.assigned([1])
    step_of(worker).lets[0].set()
    await asyncio.sleep(0)
    assert not starting.done()
    step_of(worker).lets[1].set()
    await asyncio.wait_for(starting, 10)
    assert worker.applied(1) == 0
