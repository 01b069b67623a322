"""`GET /v1/writes/{id}`: what became of a write, at every step of its way."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from rules.schema.moments import parse_moment
from tests.stage.broker import Answer
from tests.stage.house import House, house
from tests.stage.lock import locked, refuse
from tests.stage.patience import eventually
from tests.stage.stored import catalogued

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.sqlite.engine.BUSY_MS", 300)
        async with house(tmp_path_factory.mktemp("outcomes")) as running:
            yield running


async def told(here: House, answer: Answer) -> dict[str, Any]:
    """Return what became of a write."""
    found = await here.client.get(f"/v1/writes/{answer.json['writeId']}")
    assert found.status == 200
    outcome: dict[str, Any] = found.json
    return outcome


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}])
async def test_a_stored_write_tells_all_the_contract_names(here: House, key: dict[str, str]) -> None:
    w = here.workspace()
    wrote = await here.client.post(f"/v1/write/{w}/D", json=[{"a": 1}, 2, {"a": 3}], headers=key)
    outcome = await told(here, wrote)
    assert parse_moment(outcome.pop("receivedAt")) <= parse_moment(outcome.pop("storedAt"))
    outcome.pop("deleted", None)
    assert outcome == {
        "writeId": wrote.json["writeId"],
        "workspace": w,
        "dataset": "D",
        "state": "stored",
        "accepted": 2,
        "rejected": 1,
        "inserted": 2,
        "replaced": 0,
        "ignored": 0,
        "quarantined": [],
        "alerts": [],
    }


async def test_a_write_that_is_logged_says_so_and_then_that_it_is_stored(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": 0}])
    with locked(here.data):
        wrote = await here.client.post(f"/v1/record/{w}/d", json=[{"a": 1}])
        assert wrote.status == 202
        outcome = await told(here, wrote)
        assert outcome["state"] == "logged"
        assert parse_moment(outcome["receivedAt"]) > 0

    async def stored() -> None:
        assert (await told(here, wrote))["state"] == "stored"

    await eventually(stored, deadline=15)


async def test_a_write_larger_than_a_part_is_told_as_one(here: House) -> None:
    w = here.workspace()
    body = [{"n": n, "text": "x" * 1_000} for n in range(1_500)]
    wrote = await here.client.post(f"/v1/write/{w}/d", json=[*body, 7])
    outcome = await told(here, wrote)
    assert (outcome["state"], outcome["accepted"], outcome["inserted"]) == ("stored", 1_500, 1_500)
    assert (outcome["rejected"], wrote.json["rejected"]) == (1, 1)


async def test_what_was_set_aside_is_named_by_its_index_in_the_request(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": "fine"}])
    dataset = catalogued(here.data, w, "d")
    assert dataset is not None
    refuse(here.data, f"d{dataset.id}", "c1", "bad")
    some = await here.client.post(f"/v1/write/{w}/d", json=[7, {"a": "x"}, {"a": "bad"}, {"a": "y"}])
    outcome = await told(here, some)
    assert (outcome["state"], outcome["accepted"], outcome["inserted"]) == ("partial", 3, 2)
    assert [aside["index"] for aside in outcome["quarantined"]] == [2]
    assert set(outcome["quarantined"][0]) == {"index", "code", "message"}
    whole = await here.client.post(f"/v1/write/{w}/d", json=[{"a": "bad"}])
    assert (await told(here, whole))["state"] == "quarantined"


async def test_the_alerts_of_a_write_are_its_own(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json={"id": "r", "on": "d", "where": "a > 1"})
    first = await here.client.post(f"/v1/write/{w}/d", json=[{"a": 1}, {"a": 2}, {"a": 3}])
    second = await here.client.post(f"/v1/write/{w}/d", json=[{"a": 4}])

    async def alerted() -> None:
        assert len((await told(here, second))["alerts"]) == 1

    await eventually(alerted)
    listed = (await here.client.get(f"/v1/alerts/{w}")).json["alerts"]
    by_number = {alert["event"]["a"]: alert["id"] for alert in listed}
    assert sorted((await told(here, first))["alerts"]) == sorted([by_number[2], by_number[3]])
    assert (await told(here, second))["alerts"] == [by_number[4]]


async def test_a_write_id_is_read_in_upper_case_too_or_not_at_all(here: House) -> None:
    wrote = await here.client.post(f"/v1/write/{here.workspace()}/d", json={"a": 1})
    shouted = wrote.json["writeId"].upper()
    answer = await here.client.get(f"/v1/writes/{shouted}")
    assert (answer.status, (answer.json or {}).get("state")) in ((404, None), (200, "stored"))
