"""Batch loads over HTTP: what is valid is stored once and in its order, what is not is named by its line."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.api.batch.loading import ended, invalid, loaded
from tests.stage.house import House, house
from tests.stage.stored import catalogued, declared, given_token, stored

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = [{"symbol": f"s{n}", "price": n / 4, "volume": n} for n in range(5_000)]
CSV = b"symbol,price,volume\n" + b"".join(f"s{n},{n / 4},{n}\n".encode() for n in range(5_000))


def zipped(body: bytes) -> bytes:
    """Return the same bytes whenever it is asked, for they are part of tests' names."""
    return gzip.compress(body, mtime=0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("loads"), max_upload="3MB") as running:
        yield running


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(ROWS).encode(),
        json.dumps(ROWS, indent=1).encode(),
        "\n".join(map(json.dumps, ROWS)).encode(),
        CSV,
        CSV.replace(b",", b"\t"),
        CSV.replace(b",", b"|").replace(b"\n", b"\r\n"),
    ],
    ids=["array", "indented array", "lines", "comma", "tab", "pipe"],
)
async def test_each_format_is_told_from_the_content_and_stored_in_its_order(here: House, body: bytes) -> None:
    w = here.workspace()
    job = await loaded(here.client, f"{w}/d", body, headers={"Content-Type": "application/json"})
    assert job["status"] == "INGESTED", job
    assert (job["read"], job["validated"], job["ingested"], job["invalid"]) == (5_000, 5_000, 5_000, 0)
    assert (job["inserted"], job["progress"], job["bytes"]) == (5_000, 1.0, len(body))
    assert here.stored(w, "d") == ROWS


async def test_the_bytes_are_answered_with_a_job_that_can_be_asked_for(here: House) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/data/{w}/d", data=b"a\n1\n")
    job = answer.json["jobId"]
    assert answer.status == 202
    assert answer.json["message"] == f"Data upload of 4B for d completed, jobId: {job} has been created"
    assert answer.json["jobUrl"] == f"/v1/jobs/{w}/ingest/{job}"
    shown = await ended(here.client, answer.json["jobUrl"])
    assert next(line["message"] for line in shown["log"]) == f"jobId: {job} has been created"
    assert shown["createdAt"] <= shown["startedAt"] <= shown["endedAt"]
    assert shown["lastGoodStatus"] == "INGESTED"
    listed = (await here.client.get(f"/v1/jobs/{w}/ingest")).json
    assert ([one["jobId"] for one in listed["jobs"]], listed["next"]) == ([job], None)


async def test_a_cell_that_is_no_utf8_is_named_in_a_column_of_text_too(here: House) -> None:
    w = here.workspace()
    assert (await loaded(here.client, f"{w}/d", b"a\nx\n"))["status"] == "INGESTED"
    job = await loaded(here.client, f"{w}/d", b"a\ny\n\xc2\nz\n")
    assert (job["status"], job["ingested"], job["invalid"]) == ("INGESTED", 2, 1)
    (refused,) = await invalid(here.client, w, job)
    assert (refused["lineNumber"], refused["code"]) == (3, "bad_text")
    assert "not valid UTF-8 at character 0 (byte 0xC2)" in refused["error"], refused
    assert [row["a"] for row in here.stored(w, "d")] == ["x", "y", "z"]


async def test_who_waits_is_told_how_it_ended(here: House) -> None:
    w = here.workspace()
    good = await here.client.post(f"/v1/data/{w}/d?wait=true", data=b'[{"a": 1}, {"a": 2}, {"a": 3}]')
    assert (good.status, good.json["message"]) == (200, "Ingestion job successful, 3 records ingested")
    bad = await here.client.post(f"/v1/data/{w}/d?wait=true", data=b'[{"a": 1}')
    assert (bad.status, bad.json["code"]) == (422, "load_failed")
    assert bad.json["jobUrl"].endswith(bad.json["jobId"])
    assert len(here.stored(w, "d")) == 3


async def test_an_empty_body_is_refused_and_an_empty_list_is_a_load_of_nothing(here: House) -> None:
    w = here.workspace()
    assert (await here.client.post(f"/v1/data/{w}/d", data=b"")).status == 400
    job = await loaded(here.client, f"{w}/d", b"[]")
    assert (job["status"], job["read"], job["ingested"]) == ("INGESTED", 0, 0)
    assert catalogued(here.data, w, "d") is None


async def test_invalid_records_are_named_by_line_and_the_others_stored(here: House) -> None:
    w = here.workspace()
    schema = {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}}
    declared(here.data, w, datasetId="d", schema=schema, columnMapping={"key": "id"})
    job = await loaded(here.client, f"{w}/d", b"id,n,x\na,1,\n")
    assert (job["status"], job["invalid"], job["ingested"]) == ("INGESTED", 1, 0)
    body = b'{"id": "a", "n": 1}\n{"n": 2}\n\n{"id": "c", "n": "three"}\n[]\nno\n{"id": "d", "n": 4}\n'
    job = await loaded(here.client, f"{w}/d", body)
    assert (job["read"], job["validated"], job["invalid"], job["ingested"]) == (6, 2, 4, 2)
    said = await invalid(here.client, w, job)
    assert [(one["lineNumber"], one["index"], one["code"]) for one in said] == [
        (2, 1, "missing_key"),
        (4, 2, "wrong_type"),
        (5, 3, "not_an_object"),
        (6, 4, "bad_line"),
    ]
    assert said[0]["error"].startswith("line 2: validation failed:  should have required property 'id'")
    assert said[1]["error"].startswith("line 4: validation failed: .n should be an integer")
    url = f"/v1/jobs/{w}/ingest/{job['jobId']}/invalid-records-log"
    text = (await here.client.get(url)).body.decode()
    assert text.startswith("jobId,lineNumber,error\r\n" + f'{job["jobId"]},2,"line 2: validation failed: ')
    assert here.stored(w, "d") == [{"id": "a", "n": 1}, {"id": "d", "n": 4}]


async def test_past_the_error_limit_nothing_is_stored_and_nothing_made(here: House) -> None:
    w = here.workspace()
    body = b'{"a": 1}\n1\n2\n{"a": 2}\n'
    answer = await here.client.post(f"/v1/data/{w}/d?maximumValidationErrors=1", data=body)
    job = await ended(here.client, answer.json["jobUrl"])
    assert (job["status"], job["lastGoodStatus"], job["invalid"]) == ("ERROR", "VALIDATING", 2)
    assert "maximumValidationErrors=1" in job["message"]
    assert catalogued(here.data, w, "d") is None
    assert len(await invalid(here.client, w, job)) == 2
    answer = await here.client.post(f"/v1/data/{w}/d?maximumValidationErrors=2&wait=true", data=body)
    assert answer.status == 200 and len(here.stored(w, "d")) == 2


async def test_a_column_of_a_csv_has_the_type_that_fits_all_its_cells(here: House) -> None:
    w = here.workspace()
    rows = [f"{n},{n},{n % 2 == 0},2024-01-{1 + n % 28:02d},00{n},{n}," for n in range(3_000)]
    body = "i,f,b,d,zip,late,empty\n" + "\n".join(rows) + "\n3000,0.5,true,2024-01-01,x,n/a,\n"
    job = await loaded(here.client, f"{w}/d", body.encode())
    assert (job["ingested"], job["invalid"]) == (3_001, 0)
    made = catalogued(here.data, w, "d")
    assert made is not None
    assert {column.name: column.type.value for column in made.columns} == {
        "i": "integer",
        "f": "number",
        "b": "boolean",
        "d": "date",
        "zip": "string",
        "late": "string",
        "empty": "untyped",
    }
    assert here.stored(w, "d")[7] == {
        "i": 7,
        "f": 7.0,
        "b": False,
        "d": "2024-01-08",
        "zip": "007",
        "late": "7",
        **({"empty": None} if "empty" in here.stored(w, "d")[7] else {}),
    }


async def test_an_empty_cell_is_an_empty_text_or_null(here: House) -> None:
    w = here.workspace()
    await loaded(here.client, f"{w}/d", b"id,text,n\n1,x,1\n2,,\n")
    assert here.stored(w, "d")[1] == {"id": 2, "text": "", "n": None}


async def test_keys_are_ignored_replaced_or_merged_as_asked_and_counted(here: House) -> None:
    w = here.workspace()
    properties = {"id": {"type": "string"}, "a": {"type": "integer"}, "b": {"type": "integer"}}
    declared(here.data, w, datasetId="d", schema={"type": "object", "properties": properties},
             columnMapping={"key": "id"})  # fmt: skip
    first = await loaded(here.client, f"{w}/d", b'[{"id":"x","a":1,"b":1},{"id":"y","a":1}]')
    assert (first["inserted"], first["replaced"], first["ignored"]) == (2, 0, 0)
    again = await loaded(here.client, f"{w}/d", b'[{"id":"x","a":2},{"id":"z","a":2}]')
    assert (again["inserted"], again["replaced"], again["ignored"], again["ingested"]) == (1, 0, 1, 2)
    merged = await loaded(here.client, f"{w}/d?duplicateKeyHandling=merge", b'[{"id":"x","a":3}]')
    assert (merged["inserted"], merged["replaced"]) == (0, 1)
    assert here.stored(w, "d")[0] == {"id": "x", "a": 3, "b": 1}
    await loaded(here.client, f"{w}/d?overwrite=true", b'[{"id":"x","a":4}]')
    assert here.stored(w, "d")[0] == {"id": "x", "a": 4, "b": None}


async def test_rules_fire_for_a_load_only_where_it_is_asked_for(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json={"id": "hot", "on": "d", "where": "t > 30"})
    await loaded(here.client, f"{w}/d", b"t\n31\n32\n")
    await loaded(here.client, f"{w}/d?event=true", b"t\n10\n41\n")

    async def alerts() -> list[Any]:
        found: list[Any] = (await here.client.get(f"/v1/alerts/{w}")).json["alerts"]
        assert found
        return found

    from tests.stage.patience import eventually

    assert [one["event"]["t"] for one in await eventually(alerts)] == [41]


async def test_the_same_idempotency_key_is_the_same_job(here: House) -> None:
    w = here.workspace()
    path, headers = f"/v1/data/{w}/d", {"Idempotency-Key": "k1"}
    one, two = await asyncio.gather(*(here.client.post(path, data=CSV, headers=headers) for _ in range(2)))
    assert one.json["jobId"] == two.json["jobId"]
    other = await here.client.post(path, data=b"a\n1\n", headers=headers)
    assert (other.status, other.json["code"]) == (409, "idempotency_conflict")
    await ended(here.client, one.json["jobUrl"])
    assert len(here.stored(w, "d")) == 5_000


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", zipped(CSV[:40_000]) + zipped(CSV[40_000:])),
        ("deflate", zlib.compress(CSV)),
        ("deflate", zlib.compress(CSV)[2:-4]),
        ("identity", CSV),
    ],
)
async def test_compressed_bodies_are_taken(here: House, encoding: str, packed: bytes) -> None:
    w = here.workspace()
    job = await loaded(here.client, f"{w}/d", packed, headers={"Content-Encoding": encoding})
    assert (job["bytes"], job["ingested"]) == (len(CSV), 5_000)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"x" * (3 * 1024 * 1024 + 1), {}, 413, "body_too_large"),
        (zipped(b"x" * (4 * 1024 * 1024)), {"Content-Encoding": "gzip"}, 413, "body_too_large"),
        (zipped(CSV)[:-9], {"Content-Encoding": "gzip"}, 400, "bad_encoding"),
        (b"no gzip", {"Content-Encoding": "gzip"}, 400, "bad_encoding"),
        (CSV, {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
    ],
)
async def test_bodies_that_can_not_be_taken_are_refused_by_name(
    here: House, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await here.client.post(f"/v1/data/{here.workspace()}/d", data=body, headers=headers)
    assert (answer.status, answer.json["code"]) == (status, code)


@pytest.mark.parametrize(
    "query",
    ["wait=perhaps", "maximumValidationErrors=-1", "duplicateKeyHandling=x", "timeout=0", "persist=false"],
)
async def test_wrong_parameters_are_refused_by_name(here: House, query: str) -> None:
    answer = await here.client.post(f"/v1/data/{here.workspace()}/d?{query}", data=CSV)
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")
    assert query.partition("=")[0] in answer.json["detail"]


async def test_an_unknown_dataset_is_not_made_where_that_is_not_wanted(here: House) -> None:
    path = f"/v1/data/{here.workspace()}/d?createDatasetOnDemand=false"
    answer = await here.client.post(path, data=CSV)
    assert (answer.status, answer.json["code"]) == (404, "dataset_not_found")


async def test_a_strict_dataset_refuses_what_it_does_not_have(here: House) -> None:
    w = here.workspace()
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    declared(here.data, w, datasetId="d", schema=schema, mode="strict")
    job = await loaded(here.client, f"{w}/d", b'[{"n":1},{"n":1,"m":2}]')
    assert (job["ingested"], job["invalid"]) == (1, 1)


async def test_records_of_a_partitioned_dataset_go_where_their_key_is(here: House) -> None:
    w = here.workspace()
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["id"],
    }
    declared(here.data, w, datasetId="d", schema=schema, columnMapping={"key": "id"}, partitionBy=["id"])
    body = "id,n\n" + "".join(f"r{n},{n}\n" for n in range(4_000))
    job = await loaded(here.client, f"{w}/d", body.encode())
    assert (job["ingested"], job["inserted"]) == (4_000, 4_000)
    written = await here.client.post(f"/v1/write/{w}/d", json=[{"id": "r7", "n": 1}])
    assert written.json["ignored"] == 1


async def test_a_job_is_shown_to_those_who_may_and_to_nobody_else(here: House) -> None:
    w = here.workspace()
    job = await loaded(here.client, f"{w}/d", b"a\n1\n")
    mine, other, dataset = (
        given_token(here.data, {"read"}, w),
        given_token(here.data, {"read", "write"}, here.workspace()),
        given_token(here.data, {"write"}, w, "else"),
    )
    url = f"/v1/jobs/{w}/ingest/{job['jobId']}"

    async def known() -> None:
        assert (await here.client.get(url, token=mine)).status == 200

    from tests.stage.patience import eventually

    await eventually(known)
    assert (await here.client.get(url, token=other)).status == 403
    assert (await here.client.get(url, token=dataset)).status == 404
    assert (await here.client.get(f"/v1/jobs/{w}/ingest", token=dataset)).json["jobs"] == []
    assert (await here.client.get(f"/v1/jobs/{w}/ingest", token=other)).status == 403
    assert (await here.client.delete(url, token=mine)).status == 403
    assert (await here.client.post(f"/v1/data/{w}/d", data=CSV, token=mine)).status == 403


async def test_an_ended_job_is_not_cancelled_and_a_good_one_not_retried(here: House) -> None:
    w = here.workspace()
    job = await loaded(here.client, f"{w}/d", b"a\n1\n")
    url = f"/v1/jobs/{w}/ingest/{job['jobId']}"
    assert (await here.client.delete(url)).json["code"] == "job_state"
    assert (await here.client.post(url + "/retry")).json["code"] == "job_state"
    assert (await here.client.get(f"/v1/jobs/{w}/ingest/nothing")).json["code"] == "job_not_found"


async def test_a_job_that_failed_is_done_anew_once_its_cause_is_mended(here: House) -> None:
    w = here.workspace()
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    declared(here.data, w, datasetId="d", schema=schema, mode="strict")
    path = f"/v1/data/{w}/d?maximumValidationErrors=0"
    answer = await here.client.post(path, data=b'[{"n":1},{"n":1,"m":2}]')
    assert (await ended(here.client, answer.json["jobUrl"]))["status"] == "ERROR"
    wider = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"type": "integer"}}}
    assert (await here.client.patch(f"/v1/datasets/{w}/d", json={"schema": wider})).status == 200
    assert (await here.client.post(answer.json["jobUrl"] + "/retry")).status == 202
    job = await ended(here.client, answer.json["jobUrl"])
    assert (job["status"], job["ingested"], job["invalid"]) == ("INGESTED", 2, 0)
    assert await invalid(here.client, w, job) == []
    assert len(stored(here.data, w, "d")) == 2


async def test_jobs_are_listed_in_pages_newest_first(here: House) -> None:
    w = here.workspace()
    made = [(await here.client.post(f"/v1/data/{w}/d", data=b"a\n1\n")).json["jobId"] for _ in range(5)]
    first = (await here.client.get(f"/v1/jobs/{w}/ingest?limit=3")).json
    rest = (await here.client.get(f"/v1/jobs/{w}/ingest?limit=3&after={first['next']}")).json
    assert [job["jobId"] for page in (first, rest) for job in page["jobs"]] == made[::-1]
    assert rest["next"] is None
    for job in made:
        await ended(here.client, f"/v1/jobs/{w}/ingest/{job}")
