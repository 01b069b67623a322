"""Qrvey's postdata: what it takes, what it refuses, and what its jobs say."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.stage.house import House, house
from tests.stage.patience import eventually
from tests.stage.stored import declared, given_token

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = ("/dataload", "/Prod/dataload")
KEYED: dict[str, Any] = {
    "schema": {"type": "object", "properties": {"A": {"type": "string"}, "B": {"type": "string"}}},
    "columnMapping": {"key": ["A", "B"]},
    "mode": "evolve",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("postdata")) as running:
        yield running


async def done(here: House, job: str) -> dict[str, Any]:
    """Return the status of a job that has ended."""

    async def look() -> dict[str, Any]:
        told: dict[str, Any] = (await here.client.get(f"/dataload/{job}/status")).json
        assert told["statusJob"]["status"] in ("Complete", "ErrorExit")
        return told

    return await eventually(look, 60.0)


async def posted(here: House, dataset: str, data: list[Any], **more: Any) -> dict[str, Any]:
    answer = await here.client.post("/dataload/postdata", json={"datasetId": dataset, "data": data, **more})
    assert answer.status == 200, answer.body
    return await done(here, answer.json["jobId"])


@pytest.mark.parametrize("prefix", PATHS)
async def test_both_prefixes_post_and_tell(here: House, prefix: str) -> None:
    w = here.workspace()
    answer = await here.client.post(f"{prefix}/postdata", json={"datasetId": f"{w}.d", "data": [{"A": 1}]})
    assert answer.status == 200 and str(uuid.UUID(answer.json["jobId"])) == answer.json["jobId"]
    await done(here, answer.json["jobId"])
    told = await here.client.get(f"{prefix}/{answer.json['jobId']}/status")
    assert told.json["jobCompletionStatistics"]["dataSourcePumpStatistics"].keys() == {f"{w}.d"}
    assert here.stored(w, "d") == [{"A": 1}]


async def test_upsert_merges_and_replace_replaces_by_all_columns_of_the_key(here: House) -> None:
    w = here.workspace()
    declared(here.data, w, datasetId="d", **KEYED)
    name = f"{w}.d"
    await posted(here, name, [{"A": "a", "B": "b", "x": 1, "y": 1}, {"A": "a", "B": "c", "x": 1}])
    told = await posted(here, name, [{"A": "a", "B": "b", "x": 2}, {"A": "n", "B": "n"}])
    done = told["jobCompletionStatistics"]
    assert (done["successful"], done["updated"], done["failed"]) == (1, 1, 0)
    assert here.stored(w, "d")[0] == {"A": "a", "B": "b", "x": 2, "y": 1}
    await posted(here, name, [{"A": "a", "B": "b", "x": 3}], documentUpdateMethod="replace")
    assert here.stored(w, "d")[0] == {"A": "a", "B": "b", "x": 3, "y": None}


async def test_some_that_fail_are_listed_and_all_that_fail_are_an_error_exit(here: House) -> None:
    w = here.workspace()
    declared(here.data, w, datasetId="d", **KEYED)
    told = await posted(here, f"{w}.d", [{"A": "a", "B": "b"}, {"A": "a"}, 7])
    assert told["statusJob"]["status"] == "Complete"
    assert told["jobCompletionStatistics"]["failed"] == 2
    assert [(one["index"], one["path"], one["code"]) for one in told["errors"]] == [
        (1, "/B", "missing_key"),
        (2, "", "not_an_object"),
    ]
    assert all(one["message"] for one in told["errors"])
    told = await posted(here, f"{w}.d", [{"A": "a"}])
    assert told["statusJob"]["status"] == "ErrorExit"
    assert (await posted(here, f"{w}.d", []))["statusJob"]["status"] == "Complete"


async def test_the_older_form_is_one_job_for_all_its_members(here: House) -> None:
    w = here.workspace()
    body = [
        {"metadataId": f"{w}.one", "data": [{"a": 1}, {"a": 2}]},
        {"metadataId": f"{w}.two", "documentUpdateMethod": "replace", "data": [{"b": 1}, 5]},
        {"metadataId": f"{w}.one", "data": [{"a": 3}]},
    ]
    answer = await here.client.post("/dataload/v1/postdata", json=body)
    pumped = (await done(here, answer.json["jobId"]))["jobCompletionStatistics"]["dataSourcePumpStatistics"]
    assert {name: (each["read"], each["failed"]) for name, each in pumped.items()} == {
        f"{w}.one": (3, 0),
        f"{w}.two": (2, 1),
    }
    assert here.stored(w, "one") == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert here.stored(w, "two") == [{"b": 1}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"datasetId": "d"}', 400),
        (b'{"data": []}', 400),
        (b'{"datasetId": 5, "data": []}', 400),
        (b'{"datasetId": "d", "data": {}}', 400),
        (b'{"datasetId": "d", "data": [tru]}', 400),
        (b'{"datasetId": "d", "data": [], "documentUpdateMethod": "insert"}', 400),
        (b'{"datasetId": "d", "data": [], "documentUpdateMethod": ["upsert"]}', 400),
        (b'{"datasetId": "a b", "data": []}', 400),
        (b'{"datasetId": "_w.d", "data": []}', 400),
    ],
)
async def test_a_bad_body_is_refused(here: House, body: bytes, status: int) -> None:
    answer = await here.client.post("/dataload/postdata", data=body)
    assert answer.status == status, answer.body
    older = b"[" + body + b"]" if body.startswith(b"{") else b"{}"
    assert (await here.client.post("/dataload/v1/postdata", data=older)).status == status


async def test_a_job_nobody_made_is_not_found(here: House) -> None:
    for job in (str(uuid.uuid4()), "nothing", "%20"):
        assert (await here.client.get(f"/dataload/{job}/status")).status == 404


async def test_a_token_posts_to_its_own_workspace_and_learns_nothing_of_others(here: House) -> None:
    w, other = here.workspace(), here.workspace()
    mine, theirs = given_token(here.data, {"write"}, w), given_token(here.data, {"write"}, other)
    one = given_token(here.data, {"write"}, w, "only")

    async def known() -> None:
        answer = await here.client.get("/dataload/x/status", headers={"x-api-key": one}, token=one)
        assert answer.status == 404

    await eventually(known)
    body = {"datasetId": "d", "data": [{"a": 1}]}
    answer = await here.client.post("/dataload/postdata", json=body, token=mine)
    await done(here, answer.json["jobId"])
    assert here.stored(w, "d") == [{"a": 1}]
    status = f"/dataload/{answer.json['jobId']}/status"
    assert (await here.client.get(status, token=mine)).status == 200
    assert (await here.client.get(status, token=theirs)).status == 404
    assert (await here.client.post("/dataload/postdata", json=body, token=one)).status == 403
    unknown = {"datasetId": "new", "data": [{"a": 1}]}
    assert (await here.client.post("/dataload/postdata", json=unknown, token=one)).status == 404
    assert (await here.client.post("/dataload/postdata", json=body, token=theirs)).status == 200
    for elsewhere in (f"{other}.d", f"{other}.never", "nowhere.d"):
        asked = {"datasetId": elsewhere, "data": []}
        for token in (mine, one):
            answer = await here.client.post("/dataload/postdata", json=asked, token=token)
            assert (answer.status, answer.json["code"]) == (403, "forbidden")
            assert answer.json["detail"].count(elsewhere.replace(".", "/")) == 1


async def test_the_same_idempotency_key_is_the_same_job(here: House) -> None:
    w = here.workspace()
    headers = {"Idempotency-Key": "k"}
    body = {"datasetId": f"{w}.d", "data": [{"a": 1}]}
    jobs = {
        (await here.client.post("/dataload/postdata", json=body, headers=headers)).json["jobId"]
        for _ in range(3)
    }
    assert len(jobs) == 1
    await done(here, jobs.pop())
    assert len(here.stored(w, "d")) == 1


async def test_five_megabytes_are_taken_and_more_than_the_limit_is_not(here: House) -> None:
    w = here.workspace()
    rows = [{"n": n, "text": "x" * 1_000} for n in range(5_000)]
    told = await posted(here, f"{w}.d", rows)
    assert told["jobCompletionStatistics"]["successful"] == 5_000
    body = json.dumps({"datasetId": f"{w}.d", "data": ["x" * 11_000_000]})
    assert (await here.client.post("/dataload/postdata", data=body.encode())).status == 413


async def test_a_hundred_jobs_at_once_are_all_done(here: House) -> None:
    w = here.workspace()
    data = [{"n": n, "text": "x" * 100} for n in range(500)]

    async def one(number: int) -> str:
        body = {"datasetId": f"{w}.d{number % 10}", "data": data}
        answer = await here.client.post("/Prod/dataload/postdata", json=body)
        assert answer.status == 200, answer.body
        return str(answer.json["jobId"])

    for job in await asyncio.gather(*map(one, range(100))):
        told = await done(here, job)
        assert told["jobCompletionStatistics"]["successful"] == 500
    assert sum(len(here.stored(w, f"d{number}")) for number in range(10)) == 50_000
