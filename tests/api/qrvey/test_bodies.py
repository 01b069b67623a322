"""Bodies of postdata as clients send them, in their own workspace: compressed, chunked, many at once."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests.stage.broker import Answer
from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

MB = 1024 * 1024
AT_ONCE = 10.0
"""Seconds within which a body is taken that nothing stands in the way of; who waits is given far more."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller with a token of one workspace."""

    house: House
    workspace: str
    token: str

    async def post(self, data: Any, **more: Any) -> Answer:
        return await self.house.client.post("/dataload/postdata", token=self.token, data=data, **more)

    async def soon(self, data: Any, **more: Any) -> Answer:
        return await asyncio.wait_for(self.post(data, **more), AT_ONCE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("bodies")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(here: House) -> Caller:
    workspace = here.workspace()
    asked = {"workspace": workspace, "scopes": ["write"]}
    return Caller(here, workspace, (await here.client.post("/v1/tokens", json=asked)).json["token"])


def body_of(size: int) -> bytes:
    records = [{"text": "x" * min(size, 900_000)}] * max(1, size // 900_000)
    return json.dumps({"datasetId": "d", "data": records}).encode()


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """Give a body without saying how long it is, so that it is sent in chunks."""
    for at in range(0, len(body), 64 * 1024):
        yield body[at : at + 64 * 1024]


async def test_a_compressed_body_is_taken_at_once(caller: Caller) -> None:
    packed = gzip.compress(body_of(10))
    assert (await caller.soon(packed, headers={"Content-Encoding": "gzip"})).status == 200


async def test_a_body_in_chunks_is_taken_at_once(caller: Caller) -> None:
    for size in (10, 3 * MB):
        assert (await caller.soon(pieces(body_of(size)))).status == 200


async def test_a_body_as_long_as_may_be_is_taken_at_once(caller: Caller) -> None:
    assert (await caller.soon(body_of(9 * MB))).status == 200


async def test_a_body_may_be_longer_than_on_the_wire_once_it_is_decompressed(caller: Caller) -> None:
    packed = gzip.compress(body_of(40 * MB))
    assert (await caller.soon(packed, headers={"Content-Encoding": "gzip"})).status == 200
    packed = gzip.compress(b" " * 60 * MB)
    assert (await caller.soon(packed, headers={"Content-Encoding": "gzip"})).status == 413


async def test_sixty_at_once_wait_for_each_other_and_all_are_taken(caller: Caller) -> None:
    body = body_of(900_000)
    packed = {"data": gzip.compress(body), "headers": {"Content-Encoding": "gzip"}}

    def posts() -> Iterator[Any]:
        for _ in range(20):
            yield caller.post(body)
            yield caller.post(pieces(body))
            yield caller.post(**packed)

    answers = await asyncio.gather(*posts())
    assert [answer.status for answer in answers] == [200] * 60

    async def all_done() -> None:
        jobs = await caller.house.client.get(f"/v1/jobs/{caller.workspace}/ingest?limit=200")
        assert [job["status"] for job in jobs.json["jobs"]] == ["INGESTED"] * 60

    await eventually(all_done, 120.0)
    assert len(caller.house.stored(caller.workspace, "d")) == 60
