"""Quotas of tokens."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.entry.quota import Quota
from api.lane.outcome import Outcomes
from rules.errors import QUOTA, Problem
from tests.stage.broker import running_broker
from tests.stage.patience import eventually


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_quota_everything_passes() -> None:
    quota = Quota(0, 0)
    quota.spend("t", 10**9, 10**12)
    quota.check("t")


def test_a_token_that_overdrew_is_told_when_to_come_again_and_then_passes() -> None:
    clock = Clock()
    quota = Quota(10, 0, clock)
    quota.check("t")
    quota.spend("t", 70, 0)
    with pytest.raises(Problem) as refused:
        quota.check("t")
    assert refused.value.code is QUOTA
    assert refused.value.retry_after is not None
    clock.now += refused.value.retry_after
    quota.check("t")


def test_one_token_does_not_use_up_what_another_has() -> None:
    clock = Clock()
    quota = Quota(0, 100, clock)
    quota.spend("greedy", 1, 10_000)
    with pytest.raises(Problem):
        quota.check("greedy")
    quota.check("modest")


def test_a_quota_is_used_at_the_rate_it_says_over_time() -> None:
    clock = Clock()
    quota = Quota(100, 0, clock)
    written = 0
    for _ in range(1000):
        try:
            quota.check("t")
        except Problem:
            clock.now += 0.01
            continue
        quota.spend("t", 1, 10)
        written += 1
        clock.now += 0.001
    assert abs(written - (clock.now * 100 + 200)) <= 110


async def test_a_write_that_nobody_waited_for_is_spent_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(Outcomes, "wait", nothing)
    async with running_broker(tmp_path, quota_records=2) as client:
        late = await client.post("/v1/write/acme/d", json=[{"a": 1}] * 20)
        assert late.status == 504
        refused = await client.post("/v1/record/acme/d", json=[{"a": 1}])
        assert (refused.status, refused.json["code"]) == (429, "quota")
        metrics = (await client.get("/metrics")).body.decode()
        assert "sluice_records_accepted_total 20.0" in metrics


async def test_bodies_under_way_count_from_their_heads_on_and_are_given_back_where_nothing_is_taken(
    tmp_path: Path,
) -> None:
    async with running_broker(tmp_path, quota_bytes="1KB") as client:
        begun, go_on = asyncio.Event(), asyncio.Event()
        refused = b"[" + b" " * 20_000 + b"no JSON"

        async def slow() -> AsyncIterator[bytes]:
            yield refused[:1]
            begun.set()
            await go_on.wait()
            yield refused[1:]

        headers = {"Content-Length": str(len(refused))}
        first = asyncio.create_task(client.post("/v1/record/acme/d", data=slow(), headers=headers))
        await begun.wait()

        async def over() -> None:
            second = await client.post("/v1/record/acme/d", json=[{"a": 1}])
            assert (second.status, second.json["code"]) == (429, "quota")
            assert int(second.headers["Retry-After"]) >= 10

        await eventually(over)
        go_on.set()
        assert (await first).status == 400
        assert (await client.post("/v1/record/acme/d", json=[{"a": 1}])).status == 202
        taken = await client.post("/v1/record/acme/d", json=[{"b": "x" * 20_000}])
        assert taken.status == 202
        assert (await client.post("/v1/record/acme/d", json=[{"b": "y"}])).status == 429


def test_what_a_body_is_packed_in_says_nothing_of_what_it_will_take() -> None:
    quota = Quota(0, 100, Clock())
    assert quota.book("t", {b"content-length": b"500", b"content-encoding": b"gzip"}) == 0
    assert quota.book("t", {}) == quota.book("t", {b"content-length": "²".encode()}) == 0
    quota.check("t")
    assert quota.book("t", {b"content-length": b"500"}) == 500
    with pytest.raises(Problem):
        quota.check("t")
    quota.spend("t", 0, -500)
    quota.check("t")


@pytest.mark.parametrize("path", ["/v1/data/acme/d", "/dataload/postdata"])
async def test_a_load_counts_from_its_head_on_and_only_what_is_taken_of_it(tmp_path: Path, path: str) -> None:
    async with running_broker(tmp_path, quota_bytes="1KB") as client:
        bad = await client.post(path, data=b" " * 20_000 + b"{", headers={"Content-Encoding": "br"})
        assert bad.status in (400, 415)
        record = {"a": "x" * 20_000}
        taken = await client.post(
            path, json={"datasetId": "d", "data": [record]} if "post" in path else [record]
        )
        assert taken.status in (200, 202)
        refused = await client.post(path, json=[])
        assert (refused.status, int(refused.headers["Retry-After"]) >= 10) == (429, True)
