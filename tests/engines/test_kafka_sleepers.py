"""A worker that is stopped past its session, and wakes up when others have its partitions."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.kafka_floor import KafkaFloor, kafka_floor
from tests.engines.kafka_stage import a_plan
from tests.engines.test_kafka_agents import held, nexts
from tests.stage.patience import eventually

HOUSE = Path(__file__).resolve().parents[2]
DEADLINE = 90.0


@contextmanager
def worker_process(url: str, prefix: str, data: Path) -> Iterator["subprocess.Popen[bytes]"]:
    log = data / "worker.log"
    command = [sys.executable, "-m", "tests.engines.kafka_worker", url, prefix, str(data)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=HOUSE, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


async def test_a_worker_that_sleeps_past_its_session_harms_nothing_when_it_wakes(
    data: Path, servers: str
) -> None:
    plan = a_plan(servers)
    async with kafka_floor(data, plan) as here:
        dataset = await here.dataset()
        written = 0

        async def write(count: int) -> None:
            nonlocal written
            for _ in range(count):
                await here.written(dataset, written % 4, [{"id": f"k{written}", "n": written}])
                written += 1

        with worker_process(servers, plan.prefix, data) as sleeper:
            await eventually(lambda: b"claimed" in (data / "worker.log").read_bytes(), DEADLINE)
            await write(40)
            await eventually(lambda: len(here.rows()) == 40, DEADLINE)
            sleeper.send_signal(signal.SIGSTOP)
            await write(40)
            other = await here.worker()
            await eventually(lambda: held(other) == {0, 1, 2, 3}, DEADLINE)
            await eventually(lambda: len(here.rows()) == 80, DEADLINE)
            sleeper.send_signal(signal.SIGCONT)
            await write(40)
            # it comes back as a member like any other
            await eventually(lambda: 0 < len(held(other)) < 4, DEADLINE)
            await write(40)
            await all_stored(here, written)
            assert await nexts(here) == [written // 4] * 4
            assert sleeper.poll() is None
        await eventually(lambda: held(other) == {0, 1, 2, 3}, DEADLINE)
        await write(20)
        await all_stored(here, written)
        assert other.stopped == {}


async def all_stored(here: KafkaFloor, count: int) -> None:
    await eventually(lambda: len(here.rows()) == count, DEADLINE)
    assert sorted(row["n"] for row in here.rows()) == list(range(count))
