"""Loads whose dataset is deleted or made anew while they are under way."""

from pathlib import Path
from typing import Any

from tests.api.batch.loading import ended
from tests.api.batch.test_under_way import body_of, storing
from tests.stage.broker import Client, running_broker
from tests.stage.patience import eventually
from tests.stage.stored import catalogued, stored

RECORDS = 60_000
BODY = body_of(RECORDS)
DECLARED: dict[str, Any] = {
    "datasetId": "d",
    "schema": {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}},
    "columnMapping": {"key": "id"},
    "mode": "strict",
}


async def declare(client: Client, **more: Any) -> None:
    made = await client.post("/v1/datasets/acme", json={"dataset": {**DECLARED, **more}})
    assert made.status == 201, made.body


async def begun(client: Client, data: Path, path: str) -> str:
    """Begin a load, and return its address once some of it is stored."""
    url: str = (await client.post(path, data=BODY)).json["jobUrl"]
    await storing(client, url)

    async def some() -> None:
        assert stored(data, "acme", "d")

    await eventually(some, 30.0)
    return url


async def test_a_load_ends_where_its_dataset_is_deleted_and_makes_no_other_one(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        await declare(client)
        url = await begun(client, tmp_path, "/v1/data/acme/d?createDatasetOnDemand=false")
        assert (await client.delete("/v1/datasets/acme/d")).status == 200
        job = await ended(client, url, 60.0)
        assert (job["status"], job["message"][:25]) == ("ERROR", "The dataset 'd' was delet")
        assert catalogued(tmp_path, "acme", "d") is None
        assert (await client.post(url + "/retry")).status == 202
        job = await ended(client, url, 60.0)
        assert (job["status"], job["message"][:25]) == ("ERROR", "There is no dataset 'd', ")
        assert catalogued(tmp_path, "acme", "d") is None


async def test_a_load_stores_nothing_in_a_dataset_that_took_the_name(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        await declare(client)
        url = await begun(client, tmp_path, "/v1/data/acme/d")
        assert (await client.delete("/v1/datasets/acme/d")).status == 200
        await declare(client, columnMapping={})
        assert (await ended(client, url, 60.0))["status"] == "ERROR"
        assert stored(tmp_path, "acme", "d") == []


async def test_a_retry_stores_all_of_it_anew_where_the_dataset_is_another(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        url = await begun(client, tmp_path, "/v1/data/acme/d")
        assert (await client.delete(url)).json["status"] == "CANCELLED"
        assert (await client.delete("/v1/datasets/acme/d")).status == 200
        assert (await client.post(url + "/retry")).status == 202
        job = await ended(client, url, 60.0)
        assert (job["status"], job["ingested"], job["inserted"]) == ("INGESTED", RECORDS, RECORDS)
        assert [row["n"] for row in stored(tmp_path, "acme", "d")] == list(range(RECORDS))
