"""What is promised of one process holds of many: two that take requests, two that work behind them."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from typing import Any

import pytest

from tests.engines.quartet import TOKEN, Quartet, ask, metric, quartet
from tests.stage.collector import Collector
from tests.stage.events import streaming
from tests.stage.patience import eventually_sync
from tests.stage.process import Broker

DEADLINE = 60.0
FIRST = "from the beginning"
WITHIN = 1.0
"""Seconds within which a change of a dataset or a token is in force everywhere."""
LATE = 0.5
"""And what a loaded machine may take to ask and to answer."""


@pytest.fixture(scope="module")
def four(pair: dict[str, str]) -> Iterator[Quartet]:
    with quartet(pair) as running:
        yield running


def alerts(four: Quartet, workspace: str) -> list[Any]:
    status, page = ask(four.apis[0], "GET", f"/v1/alerts/{workspace}?limit=1000")
    assert status == 200
    found: list[Any] = page["alerts"]
    return found


def rows(four: Quartet, dataset: str) -> list[Any]:
    status, found = ask(four.apis[1], "GET", f"/v1/data/{dataset}?limit=10000")
    assert status in (200, 404)
    return found if status == 200 else []


def test_each_process_names_its_own_parts_and_those_behind_take_no_requests(four: Quartet) -> None:
    for api in four.apis:
        assert ask(api, "GET", "/ready")[1]["parts"].keys() == {"log", "store", "chores", "door"}
    for worker in four.workers:
        parts = ask(worker, "GET", "/ready")[1]["parts"].keys()
        assert parts == {"log", "store", "courier", "persist", "judge", "loads", "chores", "door"}
        assert ask(worker, "GET", "/health")[1]["status"] == "pass"
        assert ask(worker, "POST", "/v1/record/acme/d", [{"n": 1}])[0] == 404


def test_who_waits_is_answered_whichever_process_stores_the_write(four: Quartet) -> None:
    before = [metric(worker, "sluice_records_stored_total") for worker in four.workers]
    for n, api in zip(range(48), cycle(four.apis), strict=False):
        status, answer = ask(api, "POST", f"/v1/write/waited/d{n % 16}", [{"n": n}])
        assert (status, answer["ack"], answer["inserted"]) == (200, "stored", 1)
        assert ask(api, "GET", f"/v1/data/waited/d{n % 16}?last=1")[1][0]["n"] == n
    stored = [metric(worker, "sluice_records_stored_total") for worker in four.workers]
    shares = [after - first for after, first in zip(stored, before, strict=True)]
    assert sum(shares) == 48 and all(shares), f"both must have stored some: {shares}"


def test_a_rule_made_through_one_judges_what_is_written_after_the_answer_through_another(
    four: Quartet,
) -> None:
    first, second = four.apis
    told = []
    for n in range(20):
        rule = {"id": f"r{n}", "on": f"d{n}", "where": "n >= 0"}
        assert ask(first, "POST", "/v1/rules/ruled", rule)[0] == 201
        assert ask(second, "POST", f"/v1/record/ruled/d{n}", [{"n": n}])[0] == 202
        told.append(n)
    eventually_sync(lambda: sorted(a["event"]["n"] for a in alerts(four, "ruled")) == told, DEADLINE)
    assert ask(second, "POST", "/v1/rules/ruled/r0/pause")[0] == 200
    assert ask(first, "POST", "/v1/write/ruled/d0", [{"n": 100}])[0] == 200
    assert ask(first, "POST", "/v1/rules/ruled/r0/resume")[0] == 200
    assert ask(second, "POST", "/v1/write/ruled/d0", [{"n": 101}])[0] == 200
    eventually_sync(lambda: sorted(a["event"]["n"] for a in alerts(four, "ruled")) == [*told, 101], DEADLINE)


def test_a_dataset_changed_through_one_is_so_in_the_others_within_a_second(four: Quartet) -> None:
    first, second = four.apis
    properties = {"n": {"type": "integer"}}
    schema = {"type": "object", "properties": properties}
    declared = {"dataset": {"datasetId": "d", "schema": schema, "mode": "strict"}}
    assert ask(second, "GET", "/v1/data/sets/d")[0] == 404
    assert ask(first, "POST", "/v1/datasets/sets", declared)[0] == 201
    assert ask(second, "POST", "/v1/record/sets/d", [{"n": "text"}])[0] == 422
    properties["more"] = {"type": "string"}
    change = {"schema": schema}
    assert ask(first, "PATCH", "/v1/datasets/sets/d", change)[0] == 200
    eventually_sync(
        lambda: ask(second, "POST", "/v1/record/sets/d", [{"n": 1, "more": "x"}])[0] == 202, WITHIN + LATE
    )
    assert ask(second, "DELETE", "/v1/datasets/sets/d")[0] == 200
    eventually_sync(lambda: ask(first, "GET", "/v1/data/sets/d")[0] == 404, WITHIN + LATE)


def test_a_token_made_or_revoked_through_one_is_so_in_the_others_within_a_second(four: Quartet) -> None:
    def write(through: Broker, token: str) -> int:
        return ask(through, "POST", "/v1/record/tokens/d", [{"n": 1}], token=token)[0]

    for here, there in (four.apis, four.apis[::-1], four.apis):
        status, made = ask(here, "POST", "/v1/tokens", {"workspace": "tokens", "scopes": ["write"]})
        assert (status, write(here, made["token"])) == (201, 202), "at once where it was made"
        eventually_sync(partial(lambda *given: write(*given) == 202, there, made["token"]), WITHIN + LATE)
        assert ask(there, "DELETE", f"/v1/tokens/{made['id']}")[0] == 204
        assert write(there, made["token"]) == 401
        eventually_sync(partial(lambda *given: write(*given) == 401, here, made["token"]), WITHIN + LATE)


async def test_a_stream_tells_what_was_written_through_another_and_goes_on_there(four: Quartet) -> None:
    first, second = four.apis
    rule = {"id": "all", "on": "d", "where": "n >= 0"}
    assert (await asyncio.to_thread(ask, first, "POST", "/v1/rules/streamed", rule))[0] == 201
    path = "/v1/alerts/streamed/stream"

    async def write(broker: Any, begin: int) -> None:
        for n in range(begin, begin + 10):
            status, _ = await asyncio.to_thread(ask, broker, "POST", "/v1/record/streamed/d", [{"n": n}])
            assert status == 202

    async with (
        streaming(first.url + path, TOKEN) as alerts_at_first,
        streaming(first.url + "/v1/events/streamed/stream", TOKEN) as events,
    ):
        await write(second, 0)
        seen = await alerts_at_first.until(lambda sent: len(sent) == 10, DEADLINE)
        live = await events.until(lambda sent: len(sent) == 10, DEADLINE)
    assert [one.data["event"]["n"] for one in seen] == list(range(10))
    assert [one.data["record"]["n"] for one in live] == list(range(10))
    await write(first, 10)
    async with streaming(second.url + path, TOKEN, seen[3].id) as alerts_at_second:
        rest = await alerts_at_second.until(lambda sent: len(sent) == 16, DEADLINE)
    assert [one.data["event"]["n"] for one in rest] == list(range(4, 20))


async def test_a_stream_is_told_at_once_and_not_when_it_looks(four: Quartet) -> None:
    first, second = four.apis
    rule = {"id": "all", "on": "d", "where": "n >= 0"}
    assert (await asyncio.to_thread(ask, first, "POST", "/v1/rules/quick", rule))[0] == 201
    took: list[float] = []
    async with streaming(first.url + "/v1/alerts/quick/stream", TOKEN) as stream:
        for n in range(9):
            begin = asyncio.get_running_loop().time()
            await asyncio.to_thread(ask, second, "POST", "/v1/record/quick/d", [{"n": n}])
            await stream.until(lambda sent, n=n: len(sent) > n, DEADLINE)  # type: ignore[misc]
            took.append(asyncio.get_running_loop().time() - begin)
    print(f"\n  written through one, streamed by another: {sorted(took)[4] * 1e3:.0f} ms in the middle")
    assert sorted(took)[4] < 0.5, took


def test_an_idempotency_key_is_the_same_write_through_every_process(four: Quartet) -> None:
    for n in range(10):
        send = partial(ask, method="POST", path="/v1/write/once/d", body=[{"n": n}], Idempotency_Key=f"k{n}")
        with ThreadPoolExecutor(4) as senders:
            answers = list(senders.map(send, four.apis * 2))
        assert [status for status, _ in answers] == [200] * 4
        assert len({answer["writeId"] for _, answer in answers}) == 1
    other = ask(four.apis[1], "POST", "/v1/write/once/d", [{"n": 99}], Idempotency_Key="k0")
    assert (other[0], other[1]["code"]) == (409, "idempotency_conflict")
    assert sorted(row["n"] for row in rows(four, "once/d")) == list(range(10))


def test_a_load_is_taken_through_any_and_its_job_known_to_all(four: Quartet) -> None:
    for n, api in enumerate(four.apis * 2):
        body = b"k,n\n" + b"".join(b"%d,%d\n" % (n, i) for i in range(3_000))
        status, made = ask(api, "POST", f"/v1/data/loaded/d{n}?wait=true", body)
        assert (status, made["message"]) == (200, "Ingestion job successful, 3000 records ingested")
        for other in four.apis:
            assert ask(other, "GET", made["jobUrl"])[1]["ingested"] == 3_000
        assert [row["n"] for row in sorted(rows(four, f"loaded/d{n}"), key=lambda row: row["_id"])] == list(
            range(3_000)
        )


def test_couriers_share_deliveries_and_each_comes_once(four: Quartet) -> None:
    with Collector() as collector:
        subscription = {"kind": "webhook", "url": collector.url}
        assert ask(four.apis[0], "POST", "/v1/subscriptions/told", subscription)[0] == 201
        rule = {"id": "all", "on": "d", "where": "n >= 0"}
        assert ask(four.apis[1], "POST", "/v1/rules/told", rule)[0] == 201
        for begin in range(0, 600, 100):
            records = [{"n": n} for n in range(begin, begin + 100)]
            assert ask(four.apis[0], "POST", "/v1/record/told/d", records)[0] == 202
        eventually_sync(lambda: len(set(collector.ids())) == 600, DEADLINE)
        raised = {alert["id"] for alert in alerts(four, "told")}
        assert set(collector.ids()) == raised
        assert len(collector.ids()) == 600, "each is attempted by one courier"
