"""The page on Apperate: its examples work as they stand there."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.stage.examples import Curl, blocks, curls, send
from tests.stage.house import House, house
from tests.stage.patience import eventually

PAGE = "api/apperate/README.md"
QUOTES = {
    "datasetId": "quotes",
    "mode": "evolve",
    "columnMapping": {"key": "symbol"},
    "schema": {
        "type": "object",
        "properties": {
            "symbol": {"type": "string"},
            "latestPrice": {"type": "number"},
            "peRatio": {"type": "number"},
            "change": {"type": "number"},
            "isUSMarketOpen": {"type": "boolean"},
        },
    },
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("apperate")) as running:
        yield running


def examples(here: House, workspace: str) -> list[Curl]:
    words = {"WORKSPACE": workspace, "DATASET_ID": "news", "SECRET_TOKEN": here.client.token}
    return curls(PAGE, words)


async def outputs(here: House, workspace: str, rule: str, count: int) -> list[dict[str, Any]]:
    async def told() -> list[dict[str, Any]]:
        answer = await here.client.get(f"/v1/rules/output/{rule}?workspace={workspace}")
        assert len(answer.json) == count
        found: list[dict[str, Any]] = answer.json
        return found

    return await eventually(told, 20.0)


async def test_the_writes_store_and_publish(here: House) -> None:
    w = here.workspace()
    write, publish = examples(here, w)[:2]
    answer = await send(here.client, write)
    assert answer.status == 200
    assert answer.body.startswith(b'{"success":true,"message":"wrote 1 messages"')
    assert (await send(here.client, publish)).status == 202
    (stored,) = here.stored(w, "news")
    assert (stored["ticker"], stored["date"]) == ("GM", "2022-07-15")


async def test_the_rules_of_both_forms_raise_what_they_say_and_no_more(here: House) -> None:
    w = here.workspace()
    assert (await here.client.post(f"/v1/datasets/{w}", json=QUOTES)).status == 201
    of_key, of_any, of_facts = examples(here, w)[2:]
    made = [await send(here.client, one) for one in (of_key, of_any, of_facts)]
    assert [one.status for one in made] == [200, 200, 200]
    (shown,) = blocks(PAGE, "json")
    assert json.loads(shown).keys() == made[0].json.keys()
    assert json.loads(shown)["where"] == made[0].json["where"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made[0].json["id"])
    assert "nothing of other records" in made[2].json["warnings"][0]
    await here.client.post(
        f"/v1/write/{w}/quotes?duplicateKeyHandling=merge",
        json=[
            {"symbol": "AAPL", "latestPrice": 190.0, "peRatio": 30},
            {"symbol": "MSFT", "latestPrice": 400.0, "peRatio": 10, "change": -1, "isUSMarketOpen": True},
            {"symbol": "MSFT", "change": -2, "isUSMarketOpen": True},
            {"symbol": "AMZN", "change": -2, "isUSMarketOpen": True},
            {"symbol": "GM", "change": -2, "isUSMarketOpen": False},
        ],
    )
    await here.client.post(
        f"/v1/write/{w}/quotes?duplicateKeyHandling=merge",
        json=[{"symbol": "AAPL", "latestPrice": 201.5, "peRatio": 30}],
    )
    keyed = await outputs(here, w, made[0].json["id"], 1)
    assert keyed[0]["event"]["latestPrice"] == 201.5
    fell = await outputs(here, w, made[1].json["id"], 2)
    assert {alert["key"]["symbol"] for alert in fell} == {"MSFT", "AMZN"}
    (of_fact,) = await outputs(here, w, made[2].json["id"], 1)
    assert (of_fact["event"]["symbol"], of_fact["event"]["latestPrice"]) == ("AAPL", 190.0)
