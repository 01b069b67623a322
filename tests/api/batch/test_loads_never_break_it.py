"""Whatever is loaded, it is answered, the job ends, its numbers are true, and every part works after it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.batch.loading import ended, invalid
from tests.stage.house import House, house

pytestmark = pytest.mark.asyncio(loop_scope="module")

texts = st.text(max_size=8) | st.sampled_from(
    ["", "_id", "\x00", "\ud800", "2024-01-01", "9" * 30, '"', "a,b", "\n"]
)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
records = st.dictionaries(st.sampled_from(["a", "b", "c"]) | texts, values, max_size=4) | values


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    rows = draw(st.lists(records, max_size=8))
    kind = draw(st.sampled_from(["array", "lines", "csv", "any"]))
    if kind == "any":
        return draw(st.binary(min_size=1, max_size=60))
    if kind == "array":
        text = json.dumps(rows)
    elif kind == "lines":
        text = "\n".join(map(json.dumps, rows))
    else:
        cells = draw(st.lists(st.lists(texts, min_size=1, max_size=3), max_size=6))
        text = "\n".join(["a,b", *(",".join(row) for row in cells)])
    body = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(body) or b"\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("unbroken")) as running:
        yield running


quickly = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def unharmed(here: House) -> None:
    assert (await here.client.get("/ready")).json["status"] == "ready"


@given(body=bodies())
@quickly
async def test_any_body_is_loaded_or_refused_by_name_and_the_numbers_are_true(
    here: House, body: bytes
) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/data/{w}/d", data=body)
    assert answer.status == 202, answer.body
    job = await ended(here.client, answer.json["jobUrl"])
    assert job["status"] in ("INGESTED", "ERROR"), job
    assert "Something in the broker failed" not in job["message"], job
    if job["status"] == "ERROR":
        assert job["message"] and here.stored(w, "d") == []
    else:
        assert job["read"] == job["ingested"] + job["invalid"]
        assert job["ingested"] == len(here.stored(w, "d"))
        said = await invalid(here.client, w, job)
        assert len({one["index"] for one in said}) == job["invalid"]
    await unharmed(here)


@given(
    body=st.binary(max_size=60)
    | st.fixed_dictionaries(
        {},
        optional={
            "datasetId": values,
            "metadataId": values,
            "documentUpdateMethod": st.sampled_from(["upsert", "replace"]) | values,
            "data": st.lists(records, max_size=3) | values,
        },
    ).map(lambda each: json.dumps(each).encode())
)
@quickly
async def test_any_post_of_qrveys_is_answered(here: House, body: bytes) -> None:
    for path, sent in (("postdata", body), ("v1/postdata", b"[" + body + b"]")):
        answer = await here.client.post(f"/dataload/{path}", data=sent)
        assert answer.status in (200, 400), answer.body
        if answer.status == 200:
            job: Any = (await here.client.get(f"/dataload/{answer.json['jobId']}/status")).json
            assert job["statusJob"]["jobId"] == answer.json["jobId"]
    await unharmed(here)
