"""The page on Qrvey: the example of its documentation works, and answers in the form it shows."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.stage.examples import blocks, curls, send
from tests.stage.house import House, house
from tests.stage.patience import eventually

PAGE = "api/qrvey/README.md"
SEEDED = {
    "statusJob": {"jobId": "", "status": "", "approximatePercentComplete": 100, "runtime": ""},
    "jobCompletionStatistics": {
        "dataSourcePumpStatistics": {
            "users": {"failed": 0, "pumpTimeSeconds": 0, "read": 3, "successful": 3}
        },
        "failed": 0,
        "fillingEsStatistics": {"added": 0, "deleted": 0, "failed": 0, "updated": 3},
        "successful": 0,
        "updated": 3,
        "health": {"concurrencyPutChunkToEs": 4},
    },
}
"""The document of Qrvey's page for its three records, less what is another each time."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("qrvey")) as running:
        yield running


def shape(value: Any) -> Any:
    """Return the fields of a document with the types of their values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return type(value).__name__


async def test_the_example_posts_three_records_and_its_job_completes(here: House) -> None:
    words = {"TOKEN": here.client.token}
    declare, post, _ = curls(PAGE, words)
    assert (await send(here.client, declare)).status == 201
    shown = [json.loads(text) for text in blocks(PAGE, "json")]
    for added, updated in ((3, 0), (0, 3)):
        answer = await send(here.client, post)
        assert answer.status == 200
        assert shape(answer.json) == shape(shown[0])
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.json["jobId"])
        status = curls(PAGE, {**words, "JOB_ID": answer.json["jobId"]})[2]

        async def complete() -> dict[str, Any]:
            told: dict[str, Any] = (await send(here.client, status)).json  # noqa: B023
            assert told["statusJob"]["status"] == "Complete"
            return told

        told = await eventually(complete, 20.0)
        assert told["statusJob"]["jobId"] == answer.json["jobId"]
        assert shape(told) == shape(shown[1])
        assert told.pop("errors") == []
        assert shape(told) == shape(SEEDED)
        done = told["jobCompletionStatistics"]
        assert (done["successful"], done["updated"]) == (added, updated)
    assert done == {**SEEDED["jobCompletionStatistics"]}
    assert len(here.stored("default", "users")) == 3


async def test_the_older_form_replaces(here: House) -> None:
    await here.client.post("/v1/datasets/default", json={
        "datasetId": "older", "mode": "evolve", "columnMapping": {"key": "ID"},
        "schema": {"type": "object", "properties": {"ID": {"type": "string"}}},
    })  # fmt: skip
    body = blocks(PAGE, "json")[2].replace("users", "older")
    await here.client.post("/dataload/postdata", json={
        "datasetId": "older", "data": [{"ID": "1000101", "N": 1}]
    })  # fmt: skip
    answer = await here.client.post("/Prod/dataload/v1/postdata", data=body.encode())
    assert answer.status == 200

    async def replaced() -> None:
        assert here.stored("default", "older") == [{"ID": "1000101", "N": None}]

    await eventually(replaced, 20.0)
