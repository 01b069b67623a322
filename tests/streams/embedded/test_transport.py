"""Faust over the embedded log: a task that goes back gets again what it had."""

from pathlib import Path

from rules.signals import SilentMeter
from streams.agents.partition import Seek
from streams.agents.worker import Source, Worker
from streams.topics import WRITES
from tests.stage.patience import eventually
from tests.streams.agents.steps import ToldStep
from tests.streams.embedded.stage import opened


async def test_a_task_that_goes_back_gets_again_what_it_had(tmp_path: Path) -> None:
    async with opened(tmp_path / "log", partitions=1) as log:
        step = ToldStep()
        source = Source("embedded://", WRITES, "told")
        worker = Worker(step, WRITES, log, source, lambda: True, SilentMeter(), tmp_path / "faust")
        await worker.start()
        await worker.claimed()
        for n in range(6):
            await log.append(WRITES, 0, bytes(900_000))
            await eventually(lambda n=n: step.applied == list(range(n + 1)), 30.0)
        step.trouble.append(Seek(0))
        await log.append(WRITES, 0, b"x")
        # in pieces, so that the first of them ends below what was read before
        await eventually(lambda: step.applied == [*range(6), *range(7)], 30.0)
        await worker.stop()
