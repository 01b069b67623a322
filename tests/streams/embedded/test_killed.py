"""A process that is killed: whatever it had acknowledged is there at the next start."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.streams.embedded.stage import opened

ROOT = Path(__file__).parents[3]
WRITE_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from streams.embedded.log import EmbeddedLog, LogPlan

async def main():
    plan = LogPlan(Path(sys.argv[1]), ("writes", "events"), 2, segment_bytes=20_000)
    log = await EmbeddedLog.open(plan, lambda: 1)

    async def write(partition):
        while True:
            payload = f"{partition}-{id(object())}".encode()
            offset = await log.append("writes", partition, payload)
            print(partition, offset, payload.decode(), flush=True)

    await asyncio.gather(*(write(n % 2) for n in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledgements", [1, 300, 2_000])
async def test_all_that_was_acknowledged_is_there_after_a_kill(tmp_path: Path, acknowledgements: int) -> None:
    command = [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledgements)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith("\n")]
    told = [(int(partition), int(offset), payload) for partition, offset, payload in whole]
    assert len(told) >= acknowledgements
    async with opened(tmp_path) as log:
        for partition, offset, payload in told:
            messages = await log.fetch("writes", partition, offset, 1)
            assert [(m.offset, m.payload.decode()) for m in messages] == [(offset, payload)]
        for partition in (0, 1):
            end = log.bounds("writes", partition)[1]
            assert await log.append("writes", partition, b"next") == end
