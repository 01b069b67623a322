"""Idempotency-Key: one key is one write, however often, from wherever, and across a restart."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.stage.broker import Answer, running_broker
from tests.stage.house import House, house
from tests.stage.patience import eventually
from tests.stage.stored import catalogued, declared, stored

pytestmark = pytest.mark.asyncio(loop_scope="module")

NDJSON = {"Content-Type": "application/x-ndjson"}
SAME = ("writeId", "accepted", "rejected", "errors")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("once")) as running:
        yield running


async def send(here: House, path: str, key: str, **kwargs: Any) -> Answer:
    """Post with an Idempotency-Key."""
    headers = {"Idempotency-Key": key, **kwargs.pop("headers", {})}
    return await here.client.post(path, headers=headers, **kwargs)


def same(first: Answer, second: Answer) -> bool:
    """Whether both answers tell of the same write, the same taken and the same refused."""
    return [first.json.get(name) for name in SAME] == [second.json.get(name) for name in SAME]


@pytest.mark.parametrize("path", ["record", "write"])
async def test_the_same_key_twice_is_one_write(here: House, path: str) -> None:
    w = here.workspace()
    first = await send(here, f"/v1/{path}/{w}/d", "k", json=[{"a": 1}, {"a": 2}])
    second = await send(here, f"/v1/{path}/{w}/d", "k", json=[{"a": 1}, {"a": 2}])
    assert (first.status, second.status) == ((200, 200) if path == "write" else (202, second.status))
    assert second.status in (200, 202)
    assert same(first, second)
    await eventually(lambda: here.stored(w, "d") == [{"a": 1}, {"a": 2}])
    other = await send(here, f"/v1/write/{w}/d", "other", json=[{"a": 3}])
    assert other.json["writeId"] != first.json["writeId"]
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}, {"a": 3}]


async def test_a_repeat_tells_the_state_as_it_is_now(here: House) -> None:
    w = here.workspace()
    logged = await send(here, f"/v1/record/{w}/d", "k", json=[{"a": 1}])
    assert (logged.status, logged.json["ack"]) == (202, "logged")
    await eventually(lambda: here.stored(w, "d") == [{"a": 1}])
    repeat = await send(here, f"/v1/record/{w}/d", "k", json=[{"a": 1}])
    assert same(logged, repeat)
    assert (repeat.status, repeat.json["ack"], repeat.json.get("inserted")) == (200, "stored", 1)


async def test_a_repeat_counts_what_became_of_the_first(here: House) -> None:
    w = here.workspace()
    first = await send(here, f"/v1/write/{w}/d", "k", json=[{"a": 1}])
    second = await send(here, f"/v1/write/{w}/d", "k", json=[{"a": 1}])
    assert (second.status, second.json) == (first.status, first.json)


async def test_the_same_key_at_once_is_one_write(here: House) -> None:
    w = here.workspace()
    answers = await asyncio.gather(
        *(send(here, f"/v1/write/{w}/d", "k", json=[{"a": 1}, {"a": 2}]) for _ in range(20))
    )
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["writeId"] for answer in answers}) == 1
    assert all(same(answers[0], answer) for answer in answers)
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}]


async def test_many_keys_at_once_over_and_over_are_one_write_each(here: House) -> None:
    w = here.workspace()

    async def one(number: int) -> Answer:
        return await send(here, f"/v1/write/{w}/d", f"k{number % 10}", json=[{"n": number % 10}])

    answers = await asyncio.gather(*(one(number) for number in range(60)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["writeId"] for answer in answers}) == 10
    assert sorted(record["n"] for record in here.stored(w, "d")) == list(range(10))


async def test_another_body_under_the_key_is_409(here: House) -> None:
    w = here.workspace()
    await send(here, f"/v1/write/{w}/d", "k", json=[{"a": 1}])
    answer = await send(here, f"/v1/write/{w}/d", "k", json=[{"a": 2}])
    assert (answer.status, answer.json["code"]) == (409, "idempotency_conflict")
    assert here.stored(w, "d") == [{"a": 1}]


@pytest.mark.parametrize("query", ["event=false", "duplicateKeyHandling=merge", "atomic=true", "zebra=1"])
async def test_another_parameter_under_the_key_is_409(here: House, query: str) -> None:
    w = here.workspace()
    await send(here, f"/v1/write/{w}/d", "k", json=[{"a": 1}])
    answer = await send(here, f"/v1/write/{w}/d?{query}", "k", json=[{"a": 1}])
    assert (answer.status, answer.json["code"]) == (409, "idempotency_conflict")


async def test_wait_and_timeout_may_differ(here: House) -> None:
    w = here.workspace()
    first = await send(here, f"/v1/record/{w}/d", "k", json=[{"a": 1}])
    second = await send(here, f"/v1/record/{w}/d?wait=true&timeout=30", "k", json=[{"a": 1}])
    assert same(first, second)
    assert (second.status, second.json["ack"], second.json["inserted"]) == (200, "stored", 1)


async def test_the_encoding_of_the_body_may_differ(here: House) -> None:
    w = here.workspace()
    first = await send(here, f"/v1/write/{w}/d", "k", data=b'[{"a": 1}]')
    packed = gzip.compress(b'[{"a": 1}]')
    second = await send(here, f"/v1/write/{w}/d", "k", data=packed, headers={"Content-Encoding": "gzip"})
    assert same(first, second)
    assert here.stored(w, "d") == [{"a": 1}]


async def test_a_token_given_in_another_place_is_the_same_request(here: House) -> None:
    w = here.workspace()
    first = await send(here, f"/v1/write/{w}/d", "k", json=[{"a": 1}])
    second = await send(here, f"/v1/write/{w}/d?token={here.client.token}", "k", json=[{"a": 1}])
    assert same(first, second)


async def test_keys_are_scoped_to_workspace_and_path(here: House) -> None:
    w, v = here.workspace(), here.workspace()
    paths = (f"/v1/write/{w}/d", f"/v1/write/{w}/e", f"/v1/record/{w}/d?wait=true", f"/v1/write/{v}/d")
    ids = [(await send(here, path, "k", json=[{"a": 1}])).json["writeId"] for path in paths]
    assert len(set(ids)) == 4


async def test_names_that_differ_only_in_case_are_one_scope(here: House) -> None:
    w = here.workspace()
    first = await send(here, f"/v1/write/{w}/d", "k", json=[{"a": 1}])
    second = await send(here, f"/v1/write/{w.upper()}/D", "k", json=[{"a": 1}])
    assert same(first, second)
    assert here.stored(w, "d") == [{"a": 1}]


async def test_a_partly_refused_write_repeated_answers_the_same(here: House) -> None:
    w = here.workspace()
    body = [{"a": 1}, {"a": "x"}, 3, {"a": 2}]
    first = await send(here, f"/v1/write/{w}/d", "k", json=body)
    second = await send(here, f"/v1/write/{w}/d", "k", json=body)
    assert (first.status, first.json["rejected"]) == (207, 2)
    assert (second.status, second.json) == (first.status, first.json)
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}]


async def test_bad_lines_of_ndjson_are_told_again(here: House) -> None:
    w = here.workspace()
    body = b'{"a": 1}\n{bad\n{"a": "x"}\n{"a": 2}\nworse\n'
    first = await send(here, f"/v1/write/{w}/d", "k", data=body, headers=NDJSON)
    second = await send(here, f"/v1/write/{w}/d", "k", data=body, headers=NDJSON)
    assert (first.status, first.json["rejected"]) == (207, 3)
    assert (second.status, second.json) == (first.status, first.json)
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}]


async def test_what_was_refused_the_first_time_stays_out_though_it_would_fit_now(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": 1}])
    body = [{"a": 2}, {"a": "x"}]
    first = await send(here, f"/v1/write/{w}/d", "k", json=body)
    second = await send(here, f"/v1/write/{w}/d", "k", json=body)
    assert same(first, second)
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}]


async def test_a_write_refused_as_a_whole_keeps_no_key(here: House) -> None:
    w = here.workspace()
    assert (await send(here, f"/v1/write/{w}/d", "k", json=[1])).status == 422
    assert (await send(here, f"/v1/write/{w}/d?atomic=true", "k", json=[{"a": 1}, 1])).status == 422
    answer = await send(here, f"/v1/write/{w}/d", "k", json=[{"a": 2}])
    assert (answer.status, answer.json["inserted"]) == (200, 1)
    assert here.stored(w, "d") == [{"a": 2}]


@pytest.mark.parametrize("query", ["", "?persist=false"])
async def test_a_repeat_alerts_once(here: House, query: str) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json={"id": "r", "on": "d", "where": "a > 0"})
    for _ in range(3):
        answer = await send(here, f"/v1/write/{w}/d{query}", "k", json=[{"a": 1}, {"a": 2}])
        assert answer.status == 200
    last = await here.client.post(f"/v1/write/{w}/d", json=[{"a": 3}])

    async def told() -> None:
        assert (await here.client.get(f"/v1/writes/{last.json['writeId']}")).json["alerts"]

    await eventually(told)
    alerts = (await here.client.get(f"/v1/alerts/{w}")).json["alerts"]
    assert sorted(alert["event"]["a"] for alert in alerts) == [1, 2, 3]


async def test_a_repeat_replaces_once(here: House) -> None:
    w = here.workspace()
    declared(
        here.data,
        w,
        datasetId="d",
        schema={"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}},
        columnMapping={"key": "id"},
    )
    path = f"/v1/write/{w}/d?duplicateKeyHandling=replace"
    await send(here, path, "k1", json=[{"id": "a", "n": 1}])
    await send(here, path, "k2", json=[{"id": "a", "n": 2}])
    late = await send(here, path, "k1", json=[{"id": "a", "n": 1}])
    assert (late.status, late.json["inserted"], late.json["replaced"]) == (200, 1, 0)
    assert here.stored(w, "d") == [{"id": "a", "n": 2}]


async def test_a_large_write_of_many_parts_is_stored_once(here: House) -> None:
    w = here.workspace()
    body = [{"n": n, "text": "x" * 1_000} for n in range(2_000)]
    answers = await asyncio.gather(*(send(here, f"/v1/write/{w}/d", "k", json=body) for _ in range(3)))
    answers.append(await send(here, f"/v1/write/{w}/d", "k", json=body))
    assert {answer.status for answer in answers} == {200}
    assert {answer.json["inserted"] for answer in answers} == {2_000}
    assert [record["n"] for record in here.stored(w, "d")] == list(range(2_000))


@pytest.mark.parametrize("key", ["", " ", "x" * 256])
async def test_keys_of_a_bad_length_are_400(here: House, key: str) -> None:
    w = here.workspace()
    answer = await send(here, f"/v1/write/{w}/d", key, json=[{"a": 1}])
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")
    assert catalogued(here.data, w, "d") is None


@pytest.mark.parametrize("key", ["x" * 255, "é" * 100, "'; --", "a b", "\t!"])
async def test_keys_are_any_text_of_255_characters(here: House, key: str) -> None:
    w = here.workspace()
    for _ in range(2):
        answer = await send(here, f"/v1/write/{w}/d", key, json=[{"a": 1}])
        assert answer.status == 200
    assert here.stored(w, "d") == [{"a": 1}]


async def test_no_records_under_a_key_are_a_write_of_none(here: House) -> None:
    w = here.workspace()
    assert (await send(here, f"/v1/write/{w}/d", "k", json=[])).status == 200
    assert (await send(here, f"/v1/write/{w}/d", "k", json=[])).status == 200


async def test_a_key_is_known_after_a_restart(tmp_path: Path) -> None:
    data, path = tmp_path / "data", "/v1/write/acme/d"
    body, key = [{"a": 1}, 2, {"a": 3}], {"Idempotency-Key": "k"}
    async with running_broker(data) as client:
        first = await client.post(path, json=body, headers=key)
    async with running_broker(data) as client:
        second = await client.post(path, json=body, headers=key)
        conflict = await client.post(path, json=[{"a": 9}], headers=key)
    assert (first.status, second.status, conflict.status) == (207, 207, 409)
    assert second.json == first.json
    assert [record["a"] for record in stored(data, "acme", "d")] == [1, 3]
