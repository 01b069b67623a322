"""`/v1/datasets` and `/v1/generate-schema`: declared, shown, changed, deleted (the contract, section 4)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import inspect

from storage.aside import batch
from tests.api.v1.asking import QUOTES, declared, quote, written
from tests.stage.house import House, house
from tests.stage.patience import eventually
from tests.stage.stored import read

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("datasets")) as running:
        yield running


def with_property(name: str, **schema: Any) -> dict[str, Any]:
    properties = {**QUOTES["schema"]["properties"], name: schema}
    return {"schema": {**QUOTES["schema"], "properties": properties}}


async def token(here: House, workspace: str, *scopes: str, dataset: str | None = None) -> str:
    body = {"workspace": workspace, "scopes": list(scopes), "dataset": dataset}
    return str((await here.client.post("/v1/tokens", json=body)).json["token"])


async def test_a_dataset_is_declared_and_shown(here: House) -> None:
    w = here.workspace()
    body = {"dataset": {**QUOTES, "title": "Quotes", "retention": "90d", "partitionBy": ["venue"]}}
    made = await here.client.post(f"/v1/datasets/{w}", json=body)
    assert (made.status, made.json) == (
        201,
        {"success": True, "message": "Dataset has been created", "datasetId": "quotes"},
    )
    shown = await here.client.get(f"/v1/datasets/{w}/QUOTES")
    assert shown.json == {
        "datasetId": "quotes",
        "title": "Quotes",
        "workspace": w,
        "schema": shown.json["schema"],
        "columnMapping": {"key": "symbol", "subkey": "venue", "date": "at"},
        "mode": "strict",
        "partitionBy": ["venue"],
        "retention": "90d",
        "version": 1,
        "columns": [
            {"name": "symbol", "type": "string"},
            {"name": "venue", "type": "integer"},
            {"name": "at", "type": "date-time"},
            {"name": "price", "type": "number"},
            {"name": "more", "type": "object"},
        ],
        "createdOnDemand": False,
    }
    assert shown.json["schema"]["properties"] == QUOTES["schema"]["properties"]


async def test_a_taken_name_is_409_in_any_case(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w)
    again = await here.client.post(f"/v1/datasets/{w.upper()}", json={**QUOTES, "datasetId": "QUOTES"})
    assert (again.status, again.json["code"]) == (409, "taken")


async def test_of_many_who_declare_one_name_at_once_one_makes_it(here: House) -> None:
    w = here.workspace()
    calls = (here.client.post(f"/v1/datasets/{w}", json=QUOTES) for _ in range(10))
    assert sorted(answer.status for answer in await asyncio.gather(*calls)) == [201, *[409] * 9]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"datasetId": "_mine"}, "bad_name"),
        ({"datasetId": 7}, "bad_request"),
        ({"schema": {"type": "string"}}, "bad_schema"),
        (
            {"schema": {"type": "object", "properties": {"a": {"$ref": "https://example.com/x"}}}},
            "bad_schema",
        ),
        ({"columnMapping": {"key": "nothing"}}, "bad_mapping"),
        ({"partitionBy": ["price"]}, "partition_not_in_key"),
        ({"mode": "loose"}, "bad_parameter"),
        ({"retention": "long"}, "bad_parameter"),
    ],
)
async def test_a_declaration_that_can_t_be_taken_is_refused_by_its_code(
    here: House, changed: dict[str, Any], code: str
) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/datasets/{w}", json={"dataset": {**QUOTES, **changed}})
    assert answer.json["code"] == code
    assert (await here.client.get(f"/v1/datasets/{w}")).json == {"datasets": [], "next": None}


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"null", b'"x"', b"{", b'{"dataset": 5}', b"\xff"])
async def test_a_body_that_is_no_declaration_is_400(here: House, body: bytes) -> None:
    w = here.workspace()
    await declared(here.client, w)
    assert (await here.client.post(f"/v1/datasets/{w}", data=body)).status == 400
    assert (await here.client.patch(f"/v1/datasets/{w}/quotes", data=body)).status == 400


async def test_datasets_are_listed_by_name_in_pages(here: House) -> None:
    w = here.workspace()
    for name in ("b", "C", "a"):
        await written(here.client, w, name, {"n": 1})
    whole = (await here.client.get(f"/v1/datasets/{w}")).json
    assert [d["datasetId"] for d in whole["datasets"]] == ["a", "b", "C"]
    assert whole["next"] is None
    assert all(d["createdOnDemand"] for d in whole["datasets"])
    first = (await here.client.get(f"/v1/datasets/{w}?limit=2")).json
    second = (await here.client.get(f"/v1/datasets/{w}?limit=2&after={first['next']}")).json
    assert [d["datasetId"] for d in first["datasets"] + second["datasets"]] == ["a", "b", "C"]
    assert second["next"] is None


async def test_a_dataset_without_a_key_shows_none(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": 1})
    shown = (await here.client.get(f"/v1/datasets/{w}/d")).json
    assert shown["columnMapping"] == {"key": None, "subkey": None, "date": None}
    await declared(here.client, w, columnMapping={"key": ["symbol", "venue"]})
    assert (await here.client.get(f"/v1/datasets/{w}/quotes")).json["columnMapping"]["key"] == [
        "symbol",
        "venue",
    ]


async def test_a_change_is_a_new_version_and_holds_for_the_next_write(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w)
    patch = {"title": "New", **with_property("size", type=["integer", "null"])}
    changed = await here.client.patch(f"/v1/datasets/{w}/quotes", json=patch)
    assert changed.status == 200, changed.body
    assert (changed.json["dataset"]["version"], changed.json["dataset"]["title"]) == (2, "New")
    await written(here.client, w, "quotes", quote("ABC", 1, 1, size=7))
    assert here.stored(w, "quotes")[0]["size"] == 7


async def test_changes_at_the_same_time_are_all_made(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w, mode="evolve")
    patches = [here.client.patch(f"/v1/datasets/{w}/quotes", json={"title": f"t{n}"}) for n in range(5)]
    writes = [
        here.client.post(f"/v1/write/{w}/quotes", json=[quote("A", n, 1, **{f"new{n}": n})]) for n in range(5)
    ]
    answers = await asyncio.gather(*patches, *writes)
    assert {answer.status for answer in answers} == {200}
    shown = (await here.client.get(f"/v1/datasets/{w}/quotes")).json
    assert shown["version"] == 11
    assert len(here.stored(w, "quotes")) == 5


async def test_what_would_break_stored_records_is_refused(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w)
    path = f"/v1/datasets/{w}/quotes"
    for patch in (
        with_property("price", type="string"),
        {"columnMapping": {"key": "venue"}},
        {"partitionBy": ["symbol"]},
    ):
        answer = await here.client.patch(path, json=patch)
        assert (answer.status, answer.json["code"]) == (422, "schema_change_refused"), patch
    assert (await here.client.patch(path, json={"existing": "burn"})).status == 400
    assert (await here.client.get(path)).json["version"] == 1


async def test_a_deleted_dataset_is_gone_and_its_name_is_free(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w)
    await written(here.client, w, "quotes", quote("ABC", 1, 1))
    gone = await here.client.delete(f"/v1/datasets/{w}/quotes")
    assert (gone.status, gone.json["success"]) == (200, True)
    assert (await here.client.get(f"/v1/writes/{gone.json['writeId']}")).json["state"] == "stored"
    assert (await here.client.get(f"/v1/data/{w}/quotes")).json["code"] == "dataset_not_found"
    assert (await here.client.get(f"/v1/datasets/{w}/quotes")).status == 404
    assert (await here.client.delete(f"/v1/datasets/{w}/quotes")).status == 404
    await declared(here.client, w, columnMapping={"key": "symbol"})
    assert (await here.client.get(f"/v1/data/{w}/quotes")).json == []
    await written(here.client, w, "quotes", quote("ABC", 1, 2))
    assert len(here.stored(w, "quotes")) == 1


async def test_a_dataset_over_all_partitions_ends_in_all(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w, partitionBy=["venue"])
    await written(here.client, w, "quotes", *(quote("ABC", n, 1) for n in range(30)))
    gone = await here.client.delete(f"/v1/datasets/{w}/quotes")
    assert gone.status == 200
    tables = read(here.data, lambda c: inspect(c).get_table_names())
    ended = read(
        here.data,
        lambda c: c.exec_driver_sql(
            "SELECT dataset_id, count(*) FROM dataset_ended GROUP BY 1 HAVING count(*) > 1"
        ).all(),
    )
    assert ended[-1][1] == 8
    assert f"d{ended[-1][0]}" not in tables


async def test_of_two_who_delete_one_dataset_one_does(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w)
    answers = await asyncio.gather(*(here.client.delete(f"/v1/datasets/{w}/quotes") for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 404, 404, 404]


async def test_every_accepted_record_around_a_deletion_is_stored_or_in_quarantine(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": -1})

    async def write(n: int) -> int:
        return (await here.client.post(f"/v1/record/{w}/d", json={"n": n})).status

    writing = [asyncio.create_task(write(n)) for n in range(60)]
    await writing[20]
    assert (await here.client.delete(f"/v1/datasets/{w}/d")).status == 200
    assert set(await asyncio.gather(*writing)) == {202}
    await written(here.client, w, "d", {"n": 1000})
    aside = read(here.data, lambda c: batch(c, w, "d", 0, 1000, 10**9)).records
    assert {one.code for one in aside} <= {"dataset_gone"}
    kept = {record["n"] for record in here.stored(w, "d")}
    assert not kept & {one.record["n"] for one in aside}
    await eventually(lambda: 1000 in {record["n"] for record in here.stored(w, "d")})


async def test_a_schema_is_inferred_and_nothing_is_made(here: House) -> None:
    w = here.workspace()
    body = [{"id": "a", "n": 1, "v": 1}, {"id": "b", "n": 1, "v": 1.5, "_id": "x"}]
    told = await here.client.post(f"/v1/generate-schema/{w}", json=body)
    assert told.status == 200
    assert told.json["schema"]["properties"] == {
        "id": {"type": ["string", "null"]},
        "n": {"type": ["integer", "null"]},
        "v": {"type": ["number", "null"]},
    }
    assert told.json["keyCandidates"] == [["id"]]
    made = await here.client.post(f"/v1/datasets/{w}", json={"datasetId": "d", "schema": told.json["schema"]})
    assert made.status == 201
    assert len((await here.client.get(f"/v1/datasets/{w}")).json["datasets"]) == 1


async def test_lines_that_are_no_json_are_named_beside_the_schema(here: House) -> None:
    told = await here.client.post(
        f"/v1/generate-schema/{here.workspace()}",
        data=b'{"a": 1}\n{"a"\n',
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert told.json["schema"]["properties"] == {"a": {"type": ["integer", "null"]}}
    assert [error["index"] for error in told.json["errors"]] == [1]


async def test_a_schema_is_inferred_of_csv_by_its_content(here: House) -> None:
    told = await here.client.post(
        f"/v1/generate-schema/{here.workspace()}",
        data=b"id|n|when|_id\na|1|2024-01-01|x\nb|2.5||y\n",
        headers={"Content-Type": "application/json"},
    )
    assert told.json["schema"]["properties"] == {
        "id": {"type": ["string", "null"]},
        "n": {"type": ["number", "null"]},
        "when": {"type": ["string", "null"], "format": "date"},
    }
    assert told.json["keyCandidates"] == [["id"]]


async def test_each_endpoint_needs_its_scope(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w)
    path, reader = f"/v1/datasets/{w}", await token(here, w, "read")
    one = await token(here, w, "read", dataset="quotes")
    writer = await token(here, w, "write", "rules")
    assert (await here.client.get(path, token=reader)).status == 200
    assert (await here.client.get(path, token=one)).status == 403
    assert (await here.client.get(f"{path}/quotes", token=one)).status == 200
    assert (await here.client.get(f"{path}/quotes", token=writer)).status == 403
    assert (await here.client.post(f"/v1/generate-schema/{w}", token=writer, json={"a": 1})).status == 200
    for refused in (
        here.client.post(path, token=writer, json={**QUOTES, "datasetId": "other"}),
        here.client.patch(f"{path}/quotes", token=writer, json={"title": "x"}),
        here.client.delete(f"{path}/quotes", token=writer),
        here.client.post(f"/v1/generate-schema/{w}", token=reader, json={"a": 1}),
    ):
        assert (await refused).status == 403
    admin = await token(here, w, "admin")
    assert (await here.client.delete(f"{path}/quotes", token=admin)).status == 200
