"""SIGKILL while a dataset changes with its stored records: all of them change or none, and none is lost."""

import asyncio
import random
from typing import Any

import pytest

from tests.crash.load import Load, loading
from tests.stage.patience import eventually
from tests.stage.process import Broker
from tests.stage.stored import stored

RECORDS = 10_000
WORKSPACE = "acme"
TEXT, NUMBER = {"type": ["string", "null"]}, {"type": ["number", "null"]}


async def asked(load: Load, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with load.session.request(method, load.broker.url + path, json=body) as answer:
        return answer.status, await answer.json()


def schema(price: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": {"type": "string"}, "price": price}, "required": ["id"]}


async def ended(load: Load, url: str) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        _, job = await asked(load, "GET", url)
        assert job["endedAt"], job
        return dict(job)

    return await eventually(look, 60.0)


def prices(broker: Broker) -> list[Any]:
    """Return the prices in the order of the records, whose columns are all of one type."""
    found = sorted(stored(broker.data, WORKSPACE, "changed"), key=lambda record: int(record["id"][1:]))
    assert [record["id"] for record in found] == [f"r{n}" for n in range(RECORDS)]
    values = [record["price"] for record in found]
    assert len({type(value) for value in values}) == 1
    return values


@pytest.mark.crash
async def test_a_change_is_whole_and_once_whenever_the_broker_is_killed() -> None:
    chance = random.Random(5)
    records = [{"id": f"r{n}", "price": n + 0.5} for n in range(RECORDS)]
    with Broker({"SLUICE_FREE_DISK": "1MB"}) as broker:
        async with loading(broker, "5") as load:
            declared = {"datasetId": "changed", "schema": schema(NUMBER), "columnMapping": {"key": "id"}}
            assert (await asked(load, "POST", f"/v1/datasets/{WORKSPACE}", declared))[0] == 201
            wrote, _ = await asked(load, "POST", f"/v1/write/{WORKSPACE}/changed?timeout=60", records)
            assert wrote == 200
            for kind, expected in ((TEXT, str), (NUMBER, float), (TEXT, str), (NUMBER, float)):
                patch = {"existing": "update", "schema": schema(kind)}
                status, told = await asked(load, "PATCH", f"/v1/datasets/{WORKSPACE}/changed", patch)
                assert status == 202, told
                await asyncio.sleep(chance.uniform(0.0, 1.5))  # the moment is what is tried, not a wait
                await asyncio.to_thread(broker.kill)
                prices(broker)
                await asyncio.to_thread(broker.start)
                job = await ended(load, told["jobUrl"])
                assert (job["status"], job["read"], job["quarantined"]) == ("INGESTED", RECORDS, 0), job
                assert prices(broker) == [expected(n + 0.5) for n in range(RECORDS)]
            _, shown = await asked(load, "GET", f"/v1/datasets/{WORKSPACE}/changed")
            assert shown["version"] == 5
