"""Many loads that wait: those of one dataset or one workspace stand in nobody else's way."""

import asyncio
from pathlib import Path

import pytest

from api.batch import loads
from tests.api.batch.loading import ended
from tests.api.batch.test_under_way import body_of, storing
from tests.stage.broker import running_broker


async def test_a_queue_of_loads_of_one_dataset_does_not_hold_up_another(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        first = (await client.post("/v1/data/acme/d", data=body_of(200_000))).json["jobUrl"]
        await storing(client, first)
        for _ in range(10):
            posts = (client.post("/v1/data/acme/d", data=b"id,n\na,1\n") for _ in range(24))
            assert {answer.status for answer in await asyncio.gather(*posts)} == {202}
        other = (await client.post("/v1/data/other/d", data=b"id,n\na,1\n")).json["jobUrl"]
        assert (await ended(client, other, 60.0))["status"] == "INGESTED"
        assert (await client.get(first)).json["endedAt"] is None, "the first ended too early for this test"
        await client.delete(first)


async def test_a_workspace_has_half_of_the_loads_that_may_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loads, "OPEN", 4)
    async with running_broker(tmp_path) as client:
        first = (await client.post("/v1/data/acme/d", data=body_of(100_000))).json["jobUrl"]
        assert (await client.post("/v1/data/acme/d", data=b"id,n\na,1\n")).status == 202
        full = await client.post("/v1/data/acme/e", data=b"id,n\na,1\n")
        assert (full.status, full.json["code"], full.headers["Retry-After"]) == (503, "overloaded", "5")
        member = {"datasetId": "acme.e", "data": [{"n": 1}]}
        assert (await client.post("/dataload/postdata", json=member)).status == 503
        assert (await client.post("/v1/data/other/d", data=b"id,n\na,1\n")).status == 202
        await client.delete(first)
