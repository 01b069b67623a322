"""The page on batch loads: its examples work as they stand there."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.batch.loading import ended
from tests.stage.examples import blocks, curls, send
from tests.stage.house import House, house

PAGE = "api/batch/README.md"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("page")) as running:
        yield running


async def test_the_examples_load_what_they_say(here: House) -> None:
    w = here.workspace()
    words = {"WORKSPACE": w, "DATASET_ID": "news", "SECRET_TOKEN": here.client.token}
    csv, array, write = curls(PAGE, words)
    answer = await send(here.client, csv)
    assert answer.status == 202
    said = json.loads(blocks(PAGE, "json")[0])
    assert said.keys() == answer.json.keys()
    pattern = said["message"].replace("DATASET_ID", "news").replace(said["jobId"], answer.json["jobId"])
    assert answer.json["message"] == pattern
    job = await ended(here.client, answer.json["jobUrl"])
    assert (job["status"], job["ingested"]) == ("INGESTED", 2)
    answer = await send(here.client, array)
    assert (answer.status, answer.json["message"]) == (200, "Ingestion job successful, 1 records ingested")
    answer = await send(here.client, write)
    assert (answer.status, answer.json["message"]) == (200, "wrote 1 messages")
    assert [row["headline"][:10] for row in here.stored(w, "news")] == ["Are Hoverc", "Are Blimps"] + [
        "Are Hoverc"
    ] * 2


async def test_the_log_of_invalid_records_reads_as_the_page_says(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/data/{w}/d?wait=true", data=b"price\n1\n")
    answer = await here.client.post(f"/v1/data/{w}/d?wait=true", data=b"price\n1\nseven\n")
    found = await here.client.get(answer.json["jobUrl"] + "/invalid-records-log")
    (shown,) = (text for text in blocks(PAGE, "") if text.startswith("jobId,"))
    wanted = shown.replace("a number", "an integer").replace(
        "887b948762ff4b5c889112afb21ea463", answer.json["jobId"]
    )
    assert found.body.decode().replace("\r\n", "\n") == wanted
