"""SIGKILL while a load is validated and stored: no record is lost or doubled, and the counts are true."""

import asyncio
import random
from collections import Counter
from typing import Any

import aiohttp
import pytest

from tests.crash.load import Load, loading
from tests.stage.patience import eventually
from tests.stage.process import Broker
from tests.stage.stored import stored

RECORDS = 20_000
WORKSPACE = "acme"


def csv_of(numbers: range) -> bytes:
    return b"id,n,text\n" + b"".join(b'r%d,%d,"some ""text"" of\nno use"\n' % (n, n) for n in numbers)


async def posted(load: Load, path: str, body: bytes) -> dict[str, Any]:
    async with load.session.post(load.broker.url + path, data=body) as answer:
        told: dict[str, Any] = await answer.json()
        assert answer.status == 202, told
        return told


async def job_of(load: Load, url: str) -> dict[str, Any]:
    async with load.session.get(load.broker.url + url) as answer:
        told: dict[str, Any] = await answer.json()
        return told


async def came_to(load: Load, url: str, share: float) -> None:
    """Wait until a job has come so far, or has ended."""

    async def look() -> None:
        job = await job_of(load, url)
        assert job["progress"] >= share or job["endedAt"], job

    await eventually(look, 60.0)


@pytest.mark.parametrize("seed", [1])
async def test_a_load_goes_on_after_kills_and_stores_each_record_once(seed: int) -> None:
    chance = random.Random(seed)
    body = csv_of(range(RECORDS))
    with Broker({"SLUICE_FREE_DISK": "1MB"}) as broker:
        async with loading(broker, str(seed)) as load:
            told = await posted(load, f"/v1/data/{WORKSPACE}/loaded?event=true", body)
            for share in [0.0, *sorted(chance.random() for _ in range(2))]:
                await came_to(load, told["jobUrl"], share)
                await asyncio.to_thread(broker.kill)
                await asyncio.to_thread(broker.start)
            await came_to(load, told["jobUrl"], 1.0)
            job = await job_of(load, told["jobUrl"])
            assert (job["status"], job["invalid"]) == ("INGESTED", 0), job
            assert (job["read"], job["ingested"], job["inserted"]) == (RECORDS,) * 3
            found = [record["n"] for record in stored(broker.data, WORKSPACE, "loaded")]
            twice = [n for n, times in Counter(found).items() if times > 1]
            assert not twice, f"{len(twice)} records are stored twice"
            assert found == list(range(RECORDS)), "the order is not that of the file"


async def test_an_upload_that_is_cut_off_leaves_no_job_and_harms_nothing() -> None:
    with Broker({"SLUICE_FREE_DISK": "1MB"}) as broker:
        async with loading(broker, "3") as load:
            came = asyncio.Event()

            async def endless() -> Any:
                yield b"a\n"
                for _ in range(100):
                    yield b"1\n" * 20_000
                came.set()
                await asyncio.Event().wait()

            path = f"{broker.url}/v1/data/{WORKSPACE}/loaded"
            sending = asyncio.create_task(load.session.post(path, data=endless()))
            await came.wait()
            await asyncio.to_thread(broker.kill)
            with pytest.raises(aiohttp.ClientError):
                await sending
            await asyncio.to_thread(broker.start)
            async with load.session.get(f"{broker.url}/v1/jobs/{WORKSPACE}/ingest") as answer:
                assert (await answer.json())["jobs"] == []
            told = await posted(load, f"/v1/data/{WORKSPACE}/loaded", csv_of(range(10)))
            await came_to(load, told["jobUrl"], 1.0)
            assert len(stored(broker.data, WORKSPACE, "loaded")) == 10
