"""`PUT /v1/datasets/{workspace}/{dataset}/{name}`: a dataset renamed, with what is named for it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from api.batch.loads import Wanted, new_job
from api.v1.renaming import _refuse_loads
from rules.errors import Problem
from rules.job import Definition, Source, State
from storage import jobs
from tests.api.v1.asking import declared, quote, written
from tests.stage.house import House, house
from tests.stage.patience import eventually
from tests.stage.stored import read
from tests.storage.database import made, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULE = {"id": "dear", "on": "quotes", "where": "price > 10 && at > '2024-01-01'", "key": ["symbol"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("renaming")) as running:
        yield running


async def with_quotes(here: House, **changed: Any) -> str:
    w = here.workspace()
    await declared(here.client, w, **changed)
    await written(here.client, w, "quotes", quote("ABC", 1, 1, price=1.5))
    return w


async def alerted(here: House, w: str) -> list[float]:
    """Return the prices that raised alerts."""
    alerts = (await here.client.get(f"/v1/alerts/{w}")).json["alerts"]
    return sorted(alert["event"]["price"] for alert in alerts)


async def test_a_dataset_answers_to_its_new_name_alone_with_all_its_records(here: House) -> None:
    w = await with_quotes(here)
    answer = await here.client.put(f"/v1/datasets/{w}/QUOTES/prices")
    assert answer.status == 200
    assert {name: answer.json[name] for name in ("success", "message", "datasetId", "rules")} == {
        "success": True,
        "message": "Dataset has been renamed",
        "datasetId": "prices",
        "rules": [],
    }
    shown = (await here.client.get(f"/v1/datasets/{w}/prices")).json
    assert shown == answer.json["dataset"]
    assert (shown["datasetId"], shown["version"]) == ("prices", 2)
    assert (await here.client.get(f"/v1/datasets/{w}/quotes")).status == 404
    assert (await here.client.get(f"/v1/data/{w}/quotes")).status == 404
    await written(here.client, w, "prices", quote("ABC", 1, 2, price=2.5))
    rows = (await here.client.get(f"/v1/data/{w}/prices/ABC?limit=5")).json
    assert [row["price"] for row in rows] == [2.5, 1.5]


async def test_the_view_goes_by_the_new_name(here: House) -> None:
    w = await with_quotes(here)
    await here.client.put(f"/v1/datasets/{w}/quotes/prices")

    def views(connection: Any) -> set[str]:
        from sqlalchemy import inspect

        schema = f"ws_{w}" if connection.dialect.name == "postgresql" else None
        return {
            name.split(".")[-1] for name in inspect(connection).get_view_names(schema) if w in name or schema
        }

    assert read(here.data, views) == {"prices"}


async def test_a_name_that_is_taken_or_none_changes_nothing(here: House) -> None:
    w = await with_quotes(here)
    await written(here.client, w, "other", {"n": 1})
    taken = await here.client.put(f"/v1/datasets/{w}/quotes/OTHER")
    assert (taken.status, taken.json["code"]) == (409, "taken")
    bad = await here.client.put(f"/v1/datasets/{w}/quotes/no%20name")
    assert (bad.status, bad.json["code"]) == (400, "bad_name")
    assert (await here.client.put(f"/v1/datasets/{w}/nothing/x")).json["code"] == "dataset_not_found"
    assert (await here.client.get(f"/v1/datasets/{w}/quotes")).json["version"] == 1


async def test_another_spelling_of_its_own_name_is_free(here: House) -> None:
    w = await with_quotes(here)
    assert (await here.client.put(f"/v1/datasets/{w}/quotes/Quotes")).json["datasetId"] == "Quotes"
    assert len((await here.client.get(f"/v1/data/{w}/quotes/ABC")).json) == 1


async def test_its_rules_go_with_it_and_keep_their_state(here: House) -> None:
    w = await with_quotes(here)
    for rule in (RULE, {**RULE, "id": "still", "state": "paused"}, {**RULE, "id": "else", "on": "others"}):
        assert (await here.client.post(f"/v1/rules/{w}", json=rule)).status == 201
    answer = await here.client.put(f"/v1/datasets/{w}/quotes/prices")
    assert answer.json["rules"] == ["dear", "still"]
    await written(here.client, w, "prices", quote("ABC", 1, 3, price=11.0))

    async def raised() -> None:
        assert await alerted(here, w) == [11.0]

    await eventually(raised)
    rules = (await here.client.get(f"/v1/rules/{w}")).json["rules"]
    assert [(rule["id"], rule["on"], rule["version"], rule["state"]) for rule in rules] == [
        ("dear", "prices", 2, "active"),
        ("else", "others", 1, "active"),
        ("still", "prices", 2, "paused"),
    ]


async def test_tokens_of_the_dataset_stay_bound_to_it(here: House) -> None:
    w = await with_quotes(here)
    body = {"workspace": w, "dataset": "quotes", "scopes": ["read"]}
    token = (await here.client.post("/v1/tokens", json=body)).json["token"]
    await here.client.put(f"/v1/datasets/{w}/quotes/prices")
    await written(here.client, w, "quotes", {"another": 1})
    assert (await here.client.get(f"/v1/data/{w}/prices", token=token)).status == 200
    assert (await here.client.get(f"/v1/data/{w}/quotes", token=token)).status == 403


async def test_a_token_of_one_dataset_renames_nothing(here: House) -> None:
    w = await with_quotes(here)
    body = {"workspace": w, "dataset": "quotes", "scopes": ["admin"]}
    token = (await here.client.post("/v1/tokens", json=body)).json["token"]
    assert (await here.client.put(f"/v1/datasets/{w}/quotes/prices", token=token)).status == 403


async def test_records_spread_over_partitions_keep_their_places(here: House) -> None:
    w = await with_quotes(here, partitionBy=["symbol"])
    await written(here.client, w, "quotes", *(quote(f"s{n}", 1, 1) for n in range(30)))
    await here.client.put(f"/v1/datasets/{w}/quotes/prices")
    path = f"/v1/write/{w}/prices?duplicateKeyHandling=replace"
    again = await here.client.post(path, json=[quote(f"s{n}", 1, 1, price=1) for n in range(30)])
    assert again.json["replaced"] == 30
    assert (await here.client.delete(f"/v1/data/{w}/prices?where=true")).json["deleted"] == 31


async def test_a_dataset_that_is_loaded_into_keeps_its_name_until_the_load_has_ended(tmp_path: Path) -> None:
    with opened(tmp_path / "test.db") as store:
        dataset = made(store, "quotes")
        loading = new_job(Wanted("W", Definition(0, [Source("QUOTES", "QUOTES", 0, [], 0)]), "quotes"), 1)
        job = store.write(lambda c: jobs.add(c, loading)).result(10)
        with pytest.raises(Problem, match=job.id) as refused:
            store.read(lambda c: _refuse_loads(c, dataset)).result(10)
        assert refused.value.code.name == "job_state"
        ended = replace(job, status=State.CANCELLED)
        assert store.write(lambda c: jobs.change(c, job, ended, 2)).result(10)
        store.read(lambda c: _refuse_loads(c, dataset)).result(10)
