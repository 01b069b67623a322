"""A start on much that is stored and logged: it reads no more than on little, and is ready soon.

The bound is on bytes read, for time depends on the machine; the time is printed. `FAULTS_RECORDS` says how
many records, a million for the figure.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.embedded.chain import NOTED_EVERY
from tests.faults.tools import calling, patient
from tests.stage.process import Broker

RECORDS = int(os.environ.get("FAULTS_RECORDS", "200000"))
DATASETS = 8
BATCH = 5_000
MB = 1024 * 1024


def started(broker: Broker) -> tuple[int, float, float]:
    """Start a broker; return the bytes it read, the seconds of processor it used, the seconds it took."""
    begun = time.monotonic()
    broker.start()
    took = time.monotonic() - begun
    read = int(Path(f"/proc/{broker.pid}/io").read_text().split()[1])
    stat = Path(f"/proc/{broker.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return read, (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), took


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the data of a broker that was killed with much in it."""
    kept = tmp_path_factory.mktemp("full") / "data"
    with patient() as broker:
        asyncio.run(_filled(broker))
        broker.kill()
        shutil.copytree(broker.data, kept)
    yield kept


async def _filled(broker: Broker) -> None:
    async with calling(broker) as client:
        rule = {"id": "some", "on": "d0", "where": "n % 1000 == 0"}
        assert (await client.post("/v1/rules/acme", json=rule)).status == 201
        for dataset in range(DATASETS):
            share = RECORDS // DATASETS
            for start in range(0, share, BATCH):
                rows = range(start, min(start + BATCH, share))
                body = [{"n": n, "text": f"some text {n}", "x": n / 7, "s": f"s{n % 100}"} for n in rows]
                answer = await client.post(f"/v1/write/acme/d{dataset}?timeout=60", json=body)
                assert answer.status == 200, answer.body


def test_a_start_on_much_reads_hardly_more_than_one_on_nothing(full: Path) -> None:
    with patient() as empty:
        empty.stop()
        least, _, _ = started(empty)
    for way in ("killed", "stopped"):
        broker = patient()
        shutil.copytree(full, broker.data)
        if way == "stopped":
            broker.start()
            broker.stop()
        read, cpu, took = started(broker)
        log = sum(path.stat().st_size for path in broker.data.rglob("*.seg"))
        stored = (broker.data / "sluice.db").stat().st_size
        broker.kill()
        shutil.rmtree(broker.root)
        print(
            f"{RECORDS} records, database {stored / MB:.0f} MB, log {log / MB:.0f} MB, {way}: "
            f"ready in {took:.2f} s ({cpu:.2f} s of processor), "
            f"{(read - least) / MB:.1f} MB read more than on nothing"
        )
        assert log > 2 * NOTED_EVERY
        # what is not noted of two topics, some of it twice; the WAL twice; and the pages of our own tables
        wal = 17 * MB if way == "killed" else 0
        assert read - least < 2 * 2 * NOTED_EVERY + 2 * wal + 4 * MB
