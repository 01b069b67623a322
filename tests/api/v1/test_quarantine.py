"""`/v1/quarantine`: what could not be stored, listed, tried again, dropped (the contract, section 2)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from rules.envelope import EVENT, PERSIST, Origin
from storage import quarantine
from storage.aside import batch
from storage.quarantine import Quarantined
from tests.api.v1.asking import declared, quote, written
from tests.stage.house import House, house
from tests.stage.stored import read, write

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("quarantine")) as running:
        yield running


def put_aside(here: House, workspace: str, dataset: str, *records: dict[str, Any]) -> list[int]:
    """Set records aside, as if their dataset had been gone; returns their ids."""
    kept = [
        Quarantined(
            workspace,
            dataset,
            0,
            "w1",
            index,
            "dataset_gone",
            "it was deleted",
            record,
            Origin(1, 0, 900 + index, 0).text(),
            PERSIST | EVENT,
            0,
            1_700_000_000_000_000_000,
        )
        for index, record in enumerate(records)
    ]
    write(here.data, lambda c: quarantine.keep(c, kept))
    listed = read(here.data, lambda c: batch(c, workspace, dataset, 0, 10_000, 10**9)).records
    return [one.id for one in listed[-len(records) :]]


async def test_what_is_aside_is_listed_by_workspace_and_dataset_in_pages(here: House) -> None:
    w = here.workspace()
    ids = put_aside(here, w, "one", {"n": 1}, {"n": 2}) + put_aside(here, w, "two", {"n": 3})
    listed = await here.client.get(f"/v1/quarantine/{w}")
    assert listed.json["next"] is None
    assert listed.json["records"][0] == {
        "id": ids[0],
        "dataset": "one",
        "writeId": "w1",
        "index": 0,
        "code": "dataset_gone",
        "message": "it was deleted",
        "record": {"n": 1},
        "at": "2023-11-14T22:13:20Z",
    }
    assert [r["record"]["n"] for r in (await here.client.get(f"/v1/quarantine/{w}/ONE")).json["records"]] == [
        1,
        2,
    ]
    first = (await here.client.get(f"/v1/quarantine/{w}?limit=2")).json
    assert (first["next"], len(first["records"])) == (ids[1], 2)
    rest = (await here.client.get(f"/v1/quarantine/{w}?limit=2&after={first['next']}")).json
    assert [r["record"]["n"] for r in rest["records"]] == [3]


async def test_one_record_tried_again_is_stored_under_its_first_id(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w)
    (number,) = put_aside(here, w, "quotes", quote("ABC", 1, 1))
    done = await here.client.post(f"/v1/quarantine/{w}/{number}/redrive")
    assert done.status == 200, done.body
    assert done.json == {"success": True, "redriven": 1, "stored": 1, "ignored": 0, "quarantined": 0}
    (record,) = (await here.client.get(f"/v1/data/{w}/quotes")).json
    assert record["_id"] == Origin(1, 0, 900, 0).text()
    assert (await here.client.get(f"/v1/quarantine/{w}")).json["records"] == []
    gone = await here.client.post(f"/v1/quarantine/{w}/{number}/redrive")
    assert (gone.status, gone.json["code"]) == (404, "quarantine_not_found")


async def test_where_its_key_was_stored_meanwhile_it_is_ignored(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w)
    put_aside(here, w, "quotes", quote("ABC", 1, 1, price=1), quote("XYZ", 1, 1))
    await written(here.client, w, "quotes", quote("ABC", 1, 1, price=2))
    done = await here.client.post(f"/v1/quarantine/{w}/quotes/redrive")
    assert done.json == {
        "success": True,
        "redriven": 2,
        "stored": 1,
        "ignored": 1,
        "quarantined": 0,
        "remaining": 0,
        "next": None,
    }
    assert [r["price"] for r in here.stored(w, "quotes")] == [2.0, None]


async def test_all_of_a_dataset_over_many_partitions_are_tried_a_thousand_a_call(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w, partitionBy=["venue"])
    put_aside(here, w, "quotes", *(quote("ABC", n, 1) for n in range(1200)))
    first = (await here.client.post(f"/v1/quarantine/{w}/quotes/redrive?timeout=30")).json
    assert (first["redriven"], first["stored"], first["remaining"]) == (1000, 1000, 200)
    second = (await here.client.post(f"/v1/quarantine/{w}/quotes/redrive?after={first['next']}")).json
    assert (second["stored"], second["remaining"], second["next"]) == (200, 0, None)
    assert len(here.stored(w, "quotes")) == 1200
    nothing = (await here.client.post(f"/v1/quarantine/{w}/quotes/redrive")).json
    assert (nothing["redriven"], nothing["remaining"]) == (0, 0)


async def test_what_the_dataset_does_not_take_stays_and_is_named(here: House) -> None:
    w = here.workspace()
    await declared(here.client, w)
    bad, _ = put_aside(here, w, "quotes", {"symbol": "ABC"}, quote("XYZ", 1, 1))
    done = (await here.client.post(f"/v1/quarantine/{w}/quotes/redrive")).json
    assert (done["redriven"], done["stored"], done["quarantined"]) == (2, 1, 1)
    assert [error["id"] for error in done["errors"]] == [bad] * len(done["errors"])
    left = (await here.client.get(f"/v1/quarantine/{w}")).json["records"]
    assert [one["id"] for one in left] == [bad]


async def test_a_dataset_that_evolves_gets_the_columns_they_need(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": 1})
    put_aside(here, w, "d", {"n": 2, "new": "x"})
    assert (await here.client.post(f"/v1/quarantine/{w}/d/redrive")).json["stored"] == 1
    assert sorted((r["n"], r["new"]) for r in here.stored(w, "d")) == [(1, None), (2, "x")]


async def test_an_id_in_the_quarantine_is_never_given_again(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": 0})
    (first,) = put_aside(here, w, "d", {"n": 1})
    assert (await here.client.post(f"/v1/quarantine/{w}/{first}/redrive")).json["stored"] == 1
    (second,) = put_aside(here, w, "d", {"n": 2})
    assert second > first
    assert (await here.client.post(f"/v1/quarantine/{w}/{second}/redrive")).json["stored"] == 1
    assert sorted(record["n"] for record in here.stored(w, "d")) == [0, 1, 2]


async def test_redrives_of_the_same_records_at_the_same_time_store_once(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": -1})
    put_aside(here, w, "d", *({"n": n} for n in range(50)))
    path = f"/v1/quarantine/{w}/d/redrive"
    answers = await asyncio.gather(*(here.client.post(path) for _ in range(4)))
    assert {answer.status for answer in answers} == {200}
    assert sorted(record["n"] for record in here.stored(w, "d")) == list(range(-1, 50))


async def test_a_dataset_that_is_gone_is_404_and_the_record_stays(here: House) -> None:
    w = here.workspace()
    (number,) = put_aside(here, w, "gone", {"n": 1})
    for target in (str(number), "gone", "never"):
        answer = await here.client.post(f"/v1/quarantine/{w}/{target}/redrive")
        assert (answer.status, answer.json["code"]) == (404, "dataset_not_found")
    assert len((await here.client.get(f"/v1/quarantine/{w}")).json["records"]) == 1


async def test_digits_are_an_id_unless_a_dataset_has_that_name(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": 0})
    (number,) = put_aside(here, w, "d", {"n": 1})
    await written(here.client, w, str(number), {"m": 0})
    put_aside(here, w, str(number), {"m": 1})
    done = (await here.client.post(f"/v1/quarantine/{w}/{number}/redrive")).json
    assert (done["stored"], done["remaining"]) == (1, 0)
    assert len(here.stored(w, str(number))) == 2
    assert len(here.stored(w, "d")) == 1


async def test_a_record_is_dropped_once(here: House) -> None:
    w = here.workspace()
    (number,) = put_aside(here, w, "d", {"n": 1})
    assert (await here.client.delete(f"/v1/quarantine/{here.workspace()}/{number}")).status == 404
    assert (await here.client.delete(f"/v1/quarantine/{w}/{number}")).status == 204
    assert (await here.client.delete(f"/v1/quarantine/{w}/{number}")).status == 404


async def test_reading_needs_read_and_the_rest_write(here: House) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": 0})
    (number,) = put_aside(here, w, "d", {"n": 1})
    tokens = {}
    for scopes, dataset in ((("read",), None), (("write",), None), (("write",), "d"), (("write",), "other")):
        body = {"workspace": w, "scopes": list(scopes), "dataset": dataset}
        tokens[scopes[0], dataset] = (await here.client.post("/v1/tokens", json=body)).json["token"]
    path = f"/v1/quarantine/{w}"
    assert (await here.client.get(path, token=tokens["read", None])).status == 200
    assert (await here.client.get(path, token=tokens["write", None])).status == 403
    for token in (tokens["read", None], tokens["write", "other"]):
        assert (await here.client.post(f"{path}/{number}/redrive", token=token)).status == 403
        assert (await here.client.post(f"{path}/d/redrive", token=token)).status == 403
        assert (await here.client.delete(f"{path}/{number}", token=token)).status == 403
    done = await here.client.post(f"{path}/{number}/redrive", token=tokens["write", "d"])
    assert done.json["stored"] == 1


@pytest.mark.parametrize("odd", ["9" * 18, "9" * 19, "9" * 400, "-1", "1.5", "%00", "%ff", "%D9%A1", "0"])
async def test_an_odd_id_is_404(here: House, odd: str) -> None:
    w = here.workspace()
    assert (await here.client.delete(f"/v1/quarantine/{w}/{odd}")).status == 404
    assert (await here.client.post(f"/v1/quarantine/{w}/{odd}/redrive")).status == 404
    assert (await here.client.get(f"/v1/quarantine/{w}?after=-1")).status == 400
    assert (await here.client.get(f"/v1/quarantine/{w}?limit=1001")).status == 400
