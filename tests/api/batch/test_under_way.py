"""Loads that are under way: cancelled, tried again, taken up again, and no burden to those who write live."""

import asyncio
import json
from pathlib import Path
from time import perf_counter
from typing import Any

from tests.api.batch.loading import ended
from tests.stage.broker import Client, running_broker
from tests.stage.lock import locked
from tests.stage.patience import eventually
from tests.stage.stored import declared, stored

RECORDS = 20_000


def body_of(records: int) -> bytes:
    return b"id,n\n" + b"".join(b"r%d,%d\n" % (n, n) for n in range(records))


BODY = body_of(RECORDS)


async def storing(client: Client, url: str) -> None:
    """Wait until a job stores its records."""

    async def look() -> None:
        job = (await client.get(url)).json
        assert job["status"] == "INGESTING" or job["endedAt"], job

    await eventually(look, 30.0)


async def test_a_cancelled_load_keeps_what_is_stored_and_a_retry_stores_the_rest_once(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        url = (await client.post("/v1/data/acme/d", data=BODY)).json["jobUrl"]
        await storing(client, url)
        told = (await client.delete(url)).json
        assert told["status"] == "CANCELLED" and told["endedAt"]

        async def counted() -> dict[str, Any]:
            """What was logged already is stored and counted."""
            job: dict[str, Any] = (await client.get(url)).json
            assert job["ingested"] == len(stored(tmp_path, "acme", "d"))
            return job

        job = await eventually(counted, 20.0)
        assert job["ingested"] < RECORDS, "it was cancelled too late for this test"
        assert (await client.post(url + "/retry")).status == 202
        job = await ended(client, url, 60.0)
        assert (job["status"], job["ingested"], job["inserted"]) == ("INGESTED", RECORDS, RECORDS)
        assert [row["n"] for row in stored(tmp_path, "acme", "d")] == list(range(RECORDS))


async def test_a_load_goes_on_after_a_stop_in_its_middle(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        url = (await client.post("/v1/data/acme/d", data=BODY)).json["jobUrl"]
        await storing(client, url)
    async with running_broker(tmp_path) as client:
        job = await ended(client, url, 60.0)
        assert (job["status"], job["ingested"]) == ("INGESTED", RECORDS)
        assert [row["n"] for row in stored(tmp_path, "acme", "d")] == list(range(RECORDS))


async def test_who_waits_too_short_is_told_which_job_goes_on(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        answer = await client.post("/v1/data/acme/d?wait=true&timeout=0.1", data=BODY)
        assert (answer.status, answer.json["code"]) == (504, "too_slow")
        job = await ended(client, answer.json["jobUrl"], 60.0)
        assert (job["jobId"], job["ingested"]) == (answer.json["jobId"], RECORDS)
        found = (await client.get("/metrics")).body.decode()
        assert 'sluice_loads_total{outcome="ingested"} 1.0' in found


async def test_a_load_waits_while_the_store_does_not_answer(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        url = (await client.post("/v1/data/acme/d", data=BODY)).json["jobUrl"]
        with locked(tmp_path):
            await asyncio.sleep(0)
            live = await client.post("/v1/record/acme/live", json=[{"n": 1}])
            assert live.status in (202, 503)
        job = await ended(client, url, 60.0)
        assert (job["status"], job["ingested"]) == ("INGESTED", RECORDS)


async def test_live_writes_are_answered_and_stored_while_a_load_goes_on(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        url = (await client.post("/v1/data/acme/d", data=body_of(3 * RECORDS))).json["jobUrl"]
        await storing(client, url)
        took: list[float] = []
        while len(took) < 20:
            begun = perf_counter()
            answer = await client.post("/v1/write/acme/d", json=[{"id": "live", "n": len(took)}])
            assert answer.status == 200, answer.body
            took.append(perf_counter() - begun)
            if (await client.get(url)).json["endedAt"]:
                break
        assert len(took) > 2, "the load ended too early for this test"
        assert sorted(took)[len(took) // 2] < 5.0


async def test_loads_of_one_dataset_are_done_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        schema = {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}}
        declared(tmp_path, "acme", datasetId="d", schema=schema, columnMapping={"key": "id"})
        urls = [
            (
                await client.post("/v1/data/acme/d?overwrite=true", data=json.dumps([{"id": "x", "n": n}]))
            ).json["jobUrl"]
            for n in range(12)
        ]
        for url in urls:
            await ended(client, url, 60.0)
        assert stored(tmp_path, "acme", "d")[0]["n"] == 11
