"""`PATCH /v1/datasets` with `existing`: a dataset changed together with its stored records."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.api.v1.asking import QUOTES, declared, quote, written
from tests.stage.broker import Answer
from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = {"type": ["string", "null"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("changes")) as running:
        yield running


def schema(*without: str, required: tuple[str, ...] = ("symbol", "venue", "at"), **properties: Any) -> Any:
    """Return the schema of `QUOTES`, changed."""
    kept = {name: one for name, one in QUOTES["schema"]["properties"].items() if name not in without}
    return {"type": "object", "properties": {**kept, **properties}, "required": list(required)}


async def with_quotes(here: House, **changed: Any) -> str:
    w = here.workspace()
    await declared(here.client, w, **changed)
    await written(
        here.client,
        w,
        "quotes",
        quote("ABC", 1, 1, price=1.5, more={"x": 1}),
        quote("ABC", 2, 2),
        quote("XYZ", 1, 3, price=30.0),
    )
    return w


async def patched(here: House, w: str, **patch: Any) -> dict[str, Any]:
    """Change the dataset and return the job once it has ended."""
    answer = await here.client.patch(f"/v1/datasets/{w}/quotes", json=patch)
    assert answer.status == 202, answer.body
    assert answer.json["jobUrl"] == f"/v1/jobs/{w}/ingest/{answer.json['jobId']}"

    async def ended() -> dict[str, Any]:
        job = (await here.client.get(answer.json["jobUrl"])).json
        assert job["status"] in ("INGESTED", "ERROR"), job
        return dict(job)

    return await eventually(ended, 20.0)


async def stored(here: House, w: str) -> list[dict[str, Any]]:
    """Return the records, oldest first."""
    answer = await here.client.get(f"/v1/data/{w}/quotes?sort=asc")
    assert answer.status == 200, answer.body
    return list(answer.json)


async def aside(here: House, w: str) -> list[tuple[str, Any]]:
    """Return code and record of what is in quarantine."""
    found = (await here.client.get(f"/v1/quarantine/{w}/quotes")).json["records"]
    return [(one["code"], one["record"]) for one in found]


async def test_update_converts_each_record_and_keeps_what_it_is(here: House) -> None:
    w = await with_quotes(here)
    before = await stored(here, w)
    new = schema("more", price=TEXT, kind={"type": "string", "default": "stock"}, note=TEXT)
    job = await patched(here, w, existing="update", schema=new)
    assert (job["status"], job["message"]) == ("INGESTED", "Dataset has been changed, 3 records with it")
    assert (job["read"], job["replaced"], job["quarantined"], job["progress"]) == (3, 3, 0, 1.0)
    after = await stored(here, w)
    assert [(row["price"], row["kind"], row["note"]) for row in after] == [
        ("1.5", "stock", None),
        (None, "stock", None),
        ("30.0", "stock", None),
    ]
    assert [row["_id"] for row in after] == [row["_id"] for row in before]
    assert "more" not in after[0]
    again = await here.client.post(f"/v1/write/{w}/quotes", json=[quote("ABC", 1, 1, price="dear")])
    assert again.json["ignored"] == 1


async def test_update_sets_aside_what_does_not_fit_and_names_it(here: House) -> None:
    w = await with_quotes(here)
    job = await patched(
        here,
        w,
        existing="update",
        schema=schema(price={"type": "integer"}, required=("symbol", "venue", "at", "price")),
    )
    assert job["message"] == "Dataset has been changed, 1 records with it, 2 are in quarantine"
    assert [(row["symbol"], row["price"]) for row in await stored(here, w)] == [("XYZ", 30)]
    assert [(code, record.get("price")) for code, record in await aside(here, w)] == [
        ("schema_changed", 1.5),
        ("schema_changed", None),
    ]


async def test_what_is_aside_goes_by_the_new_name_of_its_dataset(here: House) -> None:
    w = await with_quotes(here)
    await patched(here, w, existing="update", schema=schema(price={"type": ["integer", "null"]}))
    assert len(await aside(here, w)) == 1
    assert (await here.client.put(f"/v1/datasets/{w}/quotes/prices")).status == 200
    assert await aside(here, w) == []
    found = (await here.client.get(f"/v1/quarantine/{w}/prices")).json["records"]
    assert [one["record"]["price"] for one in found] == [1.5]


async def test_delete_deletes_all_and_the_new_schema_takes_over(here: House) -> None:
    w = await with_quotes(here)
    job = await patched(
        here,
        w,
        existing="delete",
        schema=schema("more", "price", venue=TEXT, required=("symbol", "at")),
        columnMapping={"key": "symbol"},
    )
    assert (job["status"], job["message"]) == (
        "INGESTED",
        "Dataset has been changed, its records are deleted",
    )
    assert await stored(here, w) == []
    await written(here.client, w, "quotes", {"symbol": "ABC", "venue": "one", "at": "2024-01-01T00:00:00Z"})
    rows = (await here.client.get(f"/v1/data/{w}/quotes/ABC")).json
    assert [row["venue"] for row in rows] == ["one"]


async def test_reingest_checks_by_the_whole_schema_and_makes_keys_anew(here: House) -> None:
    w = await with_quotes(here)
    new = schema(price={"type": ["number", "null"], "maximum": 20})
    job = await patched(
        here, w, existing="reingest", schema=new, columnMapping={"key": "symbol", "date": "at"}
    )
    assert (job["read"], job["replaced"], job["quarantined"]) == (3, 2, 1)
    assert await aside(here, w) == [("schema_violation", quote("XYZ", 1, 3, price=30.0))]
    shown = (await here.client.get(f"/v1/datasets/{w}/quotes")).json
    assert shown["columnMapping"] == {"key": "symbol", "subkey": None, "date": "at"}
    again = await here.client.post(f"/v1/write/{w}/quotes", json=[quote("ABC", 7, 1)])
    assert again.json["ignored"] == 1


async def test_of_records_that_a_new_key_makes_one_the_last_stays(here: House) -> None:
    w = await with_quotes(here)
    await written(here.client, w, "quotes", quote("ABC", 3, 1, price=9.0))
    job = await patched(here, w, existing="reingest", columnMapping={"key": "symbol"})
    assert (job["read"], job["replaced"]) == (4, 2)
    rows = await stored(here, w)
    assert {row["symbol"]: (row["venue"], row["price"]) for row in rows} == {
        "ABC": (3, 9.0),
        "XYZ": (1, 30.0),
    }


async def test_a_dataset_without_a_key_may_get_one_and_lose_it_again(here: House) -> None:
    w = await with_quotes(here, columnMapping={})
    await patched(here, w, existing="reingest", columnMapping={"key": "symbol", "subkey": "venue"})
    assert len((await here.client.get(f"/v1/data/{w}/quotes/ABC?limit=5")).json) == 2
    await patched(here, w, existing="reingest", columnMapping={})
    await written(here.client, w, "quotes", quote("ABC", 1, 1), quote("ABC", 1, 1))
    assert len(await stored(here, w)) == 5


async def test_records_on_their_way_are_stored_before_or_brought_along(here: House) -> None:
    w = await with_quotes(here)
    gone = False

    async def writing() -> int:
        accepted = 0
        for number in range(10_000):
            body = [quote(f"s{number}", 1, 1, price=number, more={"n": number})]
            answer = await here.client.post(f"/v1/record/{w}/quotes", json=body)
            accepted += answer.json.get("accepted", 0)
            if gone:
                return accepted
        raise AssertionError("the change took too long")

    writer = asyncio.create_task(writing())
    await eventually(lambda: not writer.done())
    await patched(here, w, existing="update", schema=schema("more", price=TEXT), mode="evolve")
    gone = True
    accepted = await writer

    async def all_there() -> None:
        found = await here.client.get(f"/v1/data/{w}/quotes?where=symbol.startsWith('s')&limit=10000")
        kept = {row["symbol"]: row["price"] for row in found.json}
        rest = len([1 for code, _ in await aside(here, w) if code == "schema_changed"])
        assert (len(kept), rest) == (accepted, 0), (len(kept), rest, accepted)
        assert all(price in (f"{float(name[1:])}", name[1:]) for name, price in kept.items())

    await eventually(all_there, 20.0)


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"existing": "update", "columnMapping": {"key": "symbol"}}, "existing=reingest"),
        (
            {"existing": "update", "schema": schema(kind={"type": "integer", "default": "x"})},
            "the default of",
        ),
        ({"existing": "reingest", "partitionBy": ["symbol"]}, "partitionBy is fixed"),
    ],
)
async def test_what_can_not_be_done_is_said_at_once(here: House, patch: dict[str, Any], words: str) -> None:
    w = await with_quotes(here)
    answer = await here.client.patch(f"/v1/datasets/{w}/quotes", json=patch)
    assert (answer.status, answer.json["code"]) == (422, "schema_change_refused")
    assert words in answer.json["detail"]
    assert len(await stored(here, w)) == 3


async def test_a_dataset_spread_over_partitions_changes_only_where_rows_stay(here: House) -> None:
    w = await with_quotes(here, partitionBy=["symbol"])
    for how in ("update", "delete", "reingest"):
        answer = await here.client.patch(f"/v1/datasets/{w}/quotes", json={"existing": how, "title": "x"})
        assert (answer.status, answer.json["code"]) == (422, "schema_change_refused")
    assert len(await stored(here, w)) == 3


async def test_changes_of_one_dataset_are_done_one_after_another(here: House) -> None:
    w = await with_quotes(here)
    path = f"/v1/datasets/{w}/quotes"
    patches: list[Answer] = [
        await here.client.patch(path, json={"existing": "update", "schema": schema(price=kind)})
        for kind in (TEXT, {"type": ["number", "null"]}, TEXT)
    ]
    for answer in patches:

        async def ended(url: str = answer.json["jobUrl"]) -> None:
            assert (await here.client.get(url)).json["status"] == "INGESTED"

        await eventually(ended, 20.0)
    assert [row["price"] for row in await stored(here, w)] == ["1.5", None, "30.0"]


async def test_the_job_is_neither_retried_nor_cancelled_once_it_is_done(here: House) -> None:
    w = await with_quotes(here)
    job = await patched(here, w, existing="delete", title="none")
    path = f"/v1/jobs/{w}/ingest/{job['jobId']}"
    for answer in (await here.client.delete(path), await here.client.post(f"{path}/retry")):
        assert (answer.status, answer.json["code"]) == (409, "job_state")
