"""The three doors: what they take, and how each version's callers are told what became of it."""

import gzip
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from rules.schema.dataset import Dataset
from streams.catalogue import Catalogue
from tests.api.influx.lines import read, v2
from tests.stage.broker import Answer, running_broker
from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOORS = {"/api/v2/write": {"bucket": "b"}, "/write": {"db": "b"}, "/api/v3/write_lp": {"db": "b"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("doors")) as running:
        yield running


async def token_of(here: House, workspace: str, *scopes: str, **more: Any) -> str:
    body = {"workspace": workspace, "scopes": list(scopes) or ["write"], **more}
    return (await here.client.post("/v1/tokens", json=body)).json["token"]  # type: ignore[no-any-return]


async def write(here: House, door: str, token: str, body: str, **asked: Any) -> Answer:
    params = {**DOORS[door], "wait": "true", **asked}
    return await here.client.post(door, params=params, data=body.encode(), token=token)


@pytest.mark.parametrize("door", DOORS)
async def test_each_door_writes_into_the_workspace_of_the_token(here: House, door: str) -> None:
    w = here.workspace()
    answer = await write(here, door, await token_of(here, w), "m,t=a v=1 1")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["X-Influxdb-Version"] and "Content-Type" not in answer.headers
    assert (await read(here, w, "b__m"))[0]["v"] == 1.0


@pytest.mark.parametrize("body", ["", "\n\n", "\r\n", "# nothing\n", "   ", "\n#a\n \n"])
@pytest.mark.parametrize("door", DOORS)
async def test_nothing_to_write_is_204(here: House, door: str, body: str) -> None:
    assert (await write(here, door, await token_of(here, here.workspace()), body)).status == 204


async def test_the_good_lines_are_written_and_each_version_names_the_bad_ones(here: House) -> None:
    body = "m v=1 1\nbad\nm v=x 2\nm v=2 3"
    said = {}
    for door in DOORS:
        w = here.workspace()
        answer = await write(here, door, await token_of(here, w), body)
        assert answer.status == 400
        said[door] = answer
        assert [r["v"] for r in await read(here, w, "b__m")] == [1.0, 2.0]
    v2_said, v1_said, v3_said = (said[door].json for door in DOORS)
    assert (v2_said["code"], v2_said["line"]) == ("invalid", 2)
    assert v2_said["message"].startswith("partial write: unable to parse")
    assert [e["line"] for e in v2_said["errors"]] == [2, 3]
    assert said["/api/v2/write"].headers["X-Platform-Error-Code"] == "invalid"
    assert list(v1_said) == ["error"] and v1_said["error"].startswith("partial write: ")
    assert said["/write"].headers["X-Influxdb-Error"] == v1_said["error"]
    assert v3_said["error"] == "partial write of line protocol occurred"
    assert [(d["line_number"], d["original_line"]) for d in v3_said["data"]] == [(2, "bad"), (3, "m v=x 2")]


async def test_where_no_line_is_good_nothing_is_called_partial(here: House) -> None:
    for door in DOORS:
        answer = await write(here, door, await token_of(here, here.workspace()), "bad\nworse")
        assert answer.status == 400
        assert b"partial write" not in answer.body


@pytest.mark.parametrize("door", DOORS)
async def test_all_or_nothing_can_be_asked_for(here: House, door: str) -> None:
    w = here.workspace()
    token = await token_of(here, w, "write", "read")
    for body in ("m v=1 1\nbad", 'm v=1 1\nn v=1 1\nn v="x" 2'):
        refused = await write(here, door, token, body, accept_partial="false")
        assert refused.status in (400, 422)
        assert b"partial write" not in refused.body
    assert (await here.client.get(f"/v1/datasets/{w}")).json["datasets"] == []


async def test_all_or_nothing_can_be_the_setting(tmp_path: Path) -> None:
    async with running_broker(tmp_path, lines_partial=False) as client:
        path = "/api/v2/write?org=w&bucket=b&wait=true"
        assert (await client.post(path, data=b"m v=1 1\nbad")).status == 400
        assert (await client.get("/v1/data/w/b__m")).status == 404
        assert (await client.post(path + "&accept_partial=true", data=b"m v=1 1\nbad")).status == 400


async def test_an_organization_is_named_or_the_tokens_own(here: House) -> None:
    w = here.workspace()
    token = await token_of(here, w, "write", "read")
    assert (await v2(here, w, "m v=1 1", token=token)).status == 204
    assert (await v2(here, w.upper(), "m v=1 1", token=token)).status == 204
    other = await v2(here, "other", "m v=1 1", token=token)
    assert (other.status, other.json) == (
        404,
        {"code": "not found", "message": 'organization name "other" not found'},
    )
    unnamed = await here.client.post("/api/v2/write?bucket=b", data=b"m v=1 1")
    assert (unnamed.status, unnamed.json["code"]) == (400, "invalid")
    orgs = (await here.client.get("/api/v2/orgs", token=token)).json["orgs"]
    assert [org["name"] for org in orgs] == [w]
    by_id = await here.client.post(
        f"/api/v2/write?orgID={orgs[0]['id']}&bucket=b&wait=true", data=b"m v=2 2", token=token
    )
    assert by_id.status == 204
    buckets = (await here.client.get(f"/api/v2/buckets?org={w}", token=token)).json["buckets"]
    assert [(b["name"], b["orgID"]) for b in buckets] == [("b", orgs[0]["id"])]
    assert (await v2(here, w, "m v=3 3", bucket=buckets[0]["id"])).status == 204
    assert [r["v"] for r in await read(here, w, "b__m")] == [1.0, 2.0, 3.0]


async def test_the_catalogue_is_gone_through_only_for_what_may_be_an_id(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    every = Catalogue.every

    def noted(catalogue: Catalogue) -> list[Dataset]:
        asked.append(Path(sys._getframe(1).f_code.co_filename).parent.name)
        return every(catalogue)

    monkeypatch.setattr(Catalogue, "every", noted)
    w = here.workspace()
    assert (await v2(here, w, "m v=1 1")).status == 204
    assert (await here.client.post("/api/v3/write_lp?db=b", data=b"m v=1 1")).status == 204
    assert "influx" not in asked
    assert (await v2(here, "0" * 16, "m v=1 1", bucket="1" * 16)).status == 204
    assert asked.count("influx") == 2


async def test_an_organization_may_have_a_name_that_no_workspace_has(here: House) -> None:
    assert (await v2(here, "my-org", "m v=1 1")).status == 204
    assert [r["v"] for r in await read(here, "my_2D_org", "b__m")] == [1.0]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/v2/write?org=w", 404, "bucket not found"),
        ("/api/v2/write?org=w&bucket=", 404, "bucket not found"),
        (
            "/api/v2/write?org=w&bucket=b&precision=m",
            400,
            "invalid precision; valid precision units are ns, us, ms, and s",
        ),
        ("/api/v2/write?org=w&bucket=b&wait=perhaps", 400, "wait='perhaps' is none of true, false, 1, 0."),
        ("/write", 400, "database is required"),
        ("/api/v3/write_lp", 400, "missing query parameter db"),
    ],
)
async def test_a_parameter_that_cannot_be_is_refused(
    here: House, path: str, status: int, message: str
) -> None:
    answer = await here.client.post(path, data=b"m v=1")
    assert (answer.status, answer.json.get("message", answer.json.get("error"))) == (status, message)


@pytest.mark.parametrize(
    ("door", "precision", "time"),
    [
        ("/api/v2/write", "us", "1970-01-01T00:00:00.000002000Z"),
        ("/api/v2/write", "s", "1970-01-01T00:00:02.000000000Z"),
        ("/write", "n", "1970-01-01T00:00:00.000000002Z"),
        ("/write", "u", "1970-01-01T00:00:00.000002000Z"),
        ("/write", "m", "1970-01-01T00:02:00.000000000Z"),
        ("/write", "h", "1970-01-01T02:00:00.000000000Z"),
        ("/api/v3/write_lp", "millisecond", "1970-01-01T00:00:00.002000000Z"),
        ("/api/v3/write_lp", "auto", "1970-01-01T00:00:02.000000000Z"),
    ],
)
async def test_a_precision_is_honoured(here: House, door: str, precision: str, time: str) -> None:
    w = here.workspace()
    assert (await write(here, door, await token_of(here, w), "m v=1 2", precision=precision)).status == 204
    assert (await read(here, w, "b__m"))[0]["time"] == time


@pytest.mark.parametrize("path", ["/write", "/api/v3/write_lp"])
async def test_versions_1_and_3_take_the_token_as_a_password(here: House, path: str) -> None:
    w = here.workspace()
    token = await token_of(here, w)
    basic = b64encode(f"anybody:{token}".encode()).decode()
    for headers, query in (
        ({"Authorization": f"Basic {basic}"}, ""),
        ({"Authorization": f"Token anybody:{token}"}, ""),
        ({"Authorization": ""}, f"&u=anybody&p={token}"),
    ):
        answer = await here.client.post(f"{path}?db=b{query}", data=b"m v=1 1", headers=headers)
        assert answer.status == 204, answer.body
        assert "Sluice-Ignored" not in answer.headers


async def test_who_may_not_write_is_told_in_the_versions_words(here: House) -> None:
    w = here.workspace()
    token, reader = await token_of(here, w), await token_of(here, w, "read")
    basic = {"Authorization": "Basic " + b64encode(f"a:{token}".encode()).decode()}
    answer = await here.client.post("/api/v2/write?bucket=b", data=b"m v=1", headers=basic)
    assert (answer.status, answer.json) == (
        401,
        {"code": "unauthorized", "message": "unauthorized access"},
    )
    answer = await v2(here, w, "m v=1", token=reader)
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    answer = await here.client.post("/write?db=b", data=b"m v=1", token="nobody")
    assert (answer.status, list(answer.json)) == (401, ["error"])
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="InfluxDB"'
    answer = await here.client.get("/api/v2/write?bucket=b")
    assert (answer.status, answer.json["code"]) == (405, "method not allowed")


async def test_a_token_of_one_dataset_writes_its_measurement_only(here: House) -> None:
    w = here.workspace()
    token = await token_of(here, w, "write", dataset="b__m")
    assert (await v2(here, w, "m v=1 1", token=token)).status == 204
    assert (await v2(here, w, "m v=2 2\nn v=1 1", token=token)).status == 403
    assert (await v2(here, w, "", token=token)).status == 204
    assert [r["v"] for r in await read(here, w, "b__m")] == [1.0]


@pytest.mark.parametrize(
    "content_type", ["text/plain; charset=utf-8", "application/x-www-form-urlencoded", "a/b"]
)
async def test_any_content_type_gzip_and_chunks_are_taken(here: House, content_type: str) -> None:
    w = here.workspace()

    async def chunks() -> AsyncIterator[bytes]:
        whole = gzip.compress(b"m v=1 1\n") + gzip.compress(b"m v=2 2\r\n")
        for at in range(0, len(whole), 7):
            yield whole[at : at + 7]

    headers = {"Content-Encoding": "gzip", "Content-Type": content_type}
    answer = await here.client.post(
        f"/api/v2/write?org={w}&bucket=b&wait=true", data=chunks(), headers=headers
    )
    assert answer.status == 204
    assert [r["v"] for r in await read(here, w, "b__m")] == [1.0, 2.0]


async def test_a_body_that_is_broken_or_too_large_is_refused_by_name(tmp_path: Path) -> None:
    async with running_broker(tmp_path, max_lines_wire=2048, max_lines_body=4096, max_record=1024) as client:
        path = "/api/v2/write?org=w&bucket=b&wait=true"
        large = await client.post(path, data=b"m v=1\n" * 1000)
        assert (large.status, large.json["code"]) == (413, "request too large")
        assert "2048" in large.json["message"]
        inflated = await client.post(
            path, data=gzip.compress(b"m v=1\n" * 1000), headers={"Content-Encoding": "gzip"}
        )
        assert inflated.status == 413
        broken = await client.post(path, data=b"m v=1\n", headers={"Content-Encoding": "gzip"})
        assert (broken.status, broken.json["code"]) == (400, "invalid")
        odd = await client.post(path, data=b"m v=1\n", headers={"Content-Encoding": "br"})
        assert odd.status == 415
        long = await client.post(path, data=b'm s="' + b"x" * 1100 + b'" 1\nm v=1 2')
        assert (long.status, long.json["line"]) == (400, 1)
        assert len((await client.get("/v1/data/w/b__m")).json) == 1


async def test_bytes_that_are_no_text_are_refused_line_by_line(here: House) -> None:
    w = here.workspace()
    answer = await v2(here, w, b'm v=1 1\nm,t=\xff v=1 1\nm s="\x00" 1\nm v=2 2\n')
    assert (answer.status, [e["line"] for e in answer.json["errors"]]) == (400, [2, 3])
    assert [r["v"] for r in await read(here, w, "b__m")] == [1.0, 2.0]


async def test_past_a_quota_it_is_429_with_the_time_to_wait(tmp_path: Path) -> None:
    async with running_broker(tmp_path, quota_records=10) as client:
        path = "/api/v2/write?org=w&bucket=b"
        assert (await client.post(path, data=b"m v=1\n" * 100)).status == 204
        refused = await client.post(path, data=b"m v=1")
        assert (refused.status, refused.json["code"]) == (429, "too many requests")
        assert int(refused.headers["Retry-After"]) >= 1
        agent = {"User-Agent": "influxdb-client-js/1.35.0"}
        refused = await client.post(path, data=b"m v=1", headers=agent)
        assert parsedate_to_datetime(refused.headers["Retry-After"]).tzinfo is not None


async def test_a_key_makes_it_one_write_with_the_same_refusals(here: House) -> None:
    w = here.workspace()
    headers = {"Idempotency-Key": "k"}
    body = 'm,t=a v=1 1\nbad\nm,t=a v="x" 2\nn v=1 1'
    first = await v2(here, w, body, headers=headers)
    again = await v2(here, w, body, headers=headers)
    assert (first.status, first.json) == (again.status, again.json)
    assert first.headers["Sluice-Write-Id"] == again.headers["Sluice-Write-Id"]
    told = (await here.client.get(f"/v1/writes/{first.headers['Sluice-Write-Id']}")).json
    assert (told["accepted"], told["inserted"], told["rejected"]) == (2, 2, 2)
    other = await v2(here, w, body + "\n", headers=headers)
    assert (other.status, other.json["code"]) == (409, "conflict")


async def test_unknown_parameters_are_ignored_and_named(here: House) -> None:
    answer = await v2(here, here.workspace(), "m v=1", consistency="one", no_sync="true", color="red")
    assert (answer.status, answer.headers["Sluice-Ignored"]) == (204, "color")


async def test_a_body_of_many_parts_is_one_write_counted_as_a_whole(here: House) -> None:
    w = here.workspace()
    lines = [f'm{n % 3},host=h{n % 7} v={n},s="{"x" * 60}" {n}' for n in range(30_000)]
    answer = await v2(here, w, "\n".join(lines), timeout="60")
    assert answer.status == 204
    told = (await here.client.get(f"/v1/writes/{answer.headers['Sluice-Write-Id']}")).json
    assert (told["state"], told["accepted"], told["inserted"]) == ("stored", 30_000, 30_000)


async def test_callers_who_look_whether_somebody_is_there_find_somebody(here: House) -> None:
    for path in ("/ping", "/health"):
        for method in ("GET", "HEAD"):
            answer = await here.client.ask(method, path, headers={"Authorization": ""})
            assert answer.status == (204 if path == "/ping" else 200)
    assert (await here.client.get("/ping")).headers["X-Influxdb-Version"]
    health = (await here.client.get("/health")).json
    assert (health["status"], health["checks"]) == ("pass", [])
    assert {"name", "message", "version"} <= health.keys()


async def test_a_database_is_made_as_version_1s_callers_ask(here: House) -> None:
    token = await token_of(here, here.workspace())
    made = {"results": [{"statement_id": 0}]}
    basic = {"Authorization": "Basic " + b64encode(f"a:{token}".encode()).decode()}
    form = await here.client.post("/query", data={"q": 'CREATE DATABASE "telegraf"'}, headers=basic)
    assert (form.status, form.json) == (200, made)
    in_query = await here.client.post("/query?q=create+database+x+WITH+DURATION+1d", token=token)
    assert (in_query.status, in_query.json) == (200, made)
    other = await here.client.post("/query?q=DROP+DATABASE+x", token=token)
    assert (other.status, list(other.json)) == (400, ["error"])
    assert (await here.client.post("/query?q=CREATE+DATABASE+x", token="nobody")).status == 401


async def test_what_was_logged_only_is_stored_soon(here: House) -> None:
    w = here.workspace()
    answer = await v2(here, w, "m v=1 1", wait="false")
    assert answer.status == 204
    await eventually(lambda: len(here.stored(w, "b__m")) == 1)
