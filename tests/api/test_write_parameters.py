"""A few records, fast: every parameter of the native door (the contract, section 2)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.stage.house import House, house
from tests.stage.patience import eventually
from tests.stage.stored import catalogued, declared

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYED = {
    "schema": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "n": {"type": ["integer", "null"]},
            "note": {"type": ["string", "null"]},
        },
    },
    "columnMapping": {"key": "id"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("parameters")) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "query", "status", "ack"),
    [
        ("record", "wait=true", 200, "stored"),
        ("record", "wait=TRUE", 200, "stored"),
        ("record", "wait=1", 200, "stored"),
        ("record", "wait=0", 202, "logged"),
        ("write", "wait=false", 202, "logged"),
        ("write", "wait=False", 202, "logged"),
        ("write", "wait=1", 200, "stored"),
        ("write", "wait=false&wait=true", 200, "stored"),
    ],
)
async def test_wait_turns_either_endpoint_into_the_other(
    here: House, path: str, query: str, status: int, ack: str
) -> None:
    answer = await here.client.post(f"/v1/{path}/{here.workspace()}/d?{query}", json={"a": 1})
    assert (answer.status, answer.json["ack"], answer.json["accepted"]) == (status, ack, 1)


async def test_persist_false_only_publishes_and_makes_nothing(here: House) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/write/{w}/d?persist=false", json=[{"a": 1}])
    assert (answer.status, answer.json["ack"], answer.json["accepted"]) == (200, "published", 1)
    assert catalogued(here.data, w, "d") is None
    told = await here.client.get(f"/v1/writes/{answer.json['writeId']}")
    assert told.json["state"] == "published"


async def test_persist_false_leaves_the_schema_and_the_rows_of_a_dataset_as_they_are(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": 1}])
    before = catalogued(here.data, w, "d")
    answer = await here.client.post(f"/v1/write/{w}/d?persist=false", json=[{"a": "text", "b": 2.5}])
    assert (answer.status, answer.json["rejected"]) == (200, 0)
    assert catalogued(here.data, w, "d") == before
    assert here.stored(w, "d") == [{"a": 1}]


async def test_persist_false_is_checked_against_a_declared_strict_dataset(here: House) -> None:
    w = here.workspace()
    declared(here.data, w, datasetId="d", mode="strict", **KEYED)
    answer = await here.client.post(
        f"/v1/record/{w}/d?persist=false", json=[{"id": "a"}, {"id": "b", "x": 1}, {"n": 1}]
    )
    assert answer.status == 207
    assert [(e["index"], e["path"], e["code"]) for e in answer.json["errors"]] == [
        (1, "/x", "unknown_field"),
        (2, "/id", "missing_key"),
    ]


async def test_event_false_stores_and_tells_no_rule(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json={"id": "all", "on": "d", "where": "a > 0"})
    quiet = await here.client.post(f"/v1/write/{w}/d?event=false", json=[{"a": 1}])
    loud = await here.client.post(f"/v1/write/{w}/d", json=[{"a": 2}])
    alerts = (await eventually(lambda: _alerts(here, w, 1)))["alerts"]
    assert [alert["event"]["a"] for alert in alerts] == [2]
    assert here.stored(w, "d") == [{"a": 1}, {"a": 2}]
    assert (await here.client.get(f"/v1/writes/{quiet.json['writeId']}")).json["alerts"] == []
    assert (await here.client.get(f"/v1/writes/{loud.json['writeId']}")).json["alerts"] == [alerts[0]["id"]]


async def test_persist_false_tells_the_rules(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json={"id": "all", "on": "d", "where": "a > 0"})
    wrote = await here.client.post(f"/v1/record/{w}/d?persist=0", json=[{"a": 1}, {"a": 0}, {"a": 7}])
    alerts = (await eventually(lambda: _alerts(here, w, 2)))["alerts"]
    assert sorted(alert["event"]["a"] for alert in alerts) == [1, 7]
    told = await here.client.get(f"/v1/writes/{wrote.json['writeId']}")
    assert sorted(told.json["alerts"]) == sorted(alert["id"] for alert in alerts)


async def test_both_persist_and_event_false_is_400(here: House) -> None:
    answer = await here.client.post(f"/v1/record/{here.workspace()}/d?persist=false&event=0", json=[{"a": 1}])
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")


@pytest.mark.parametrize(
    ("handling", "after", "counts"),
    [
        ("", {"id": "a", "n": 1, "note": "first"}, (0, 0, 1)),
        ("ignore", {"id": "a", "n": 1, "note": "first"}, (0, 0, 1)),
        ("false", {"id": "a", "n": 1, "note": "first"}, (0, 0, 1)),
        ("replace", {"id": "a", "n": 2, "note": None}, (0, 1, 0)),
        ("true", {"id": "a", "n": 2, "note": None}, (0, 1, 0)),
        ("REPLACE", {"id": "a", "n": 2, "note": None}, (0, 1, 0)),
        ("merge", {"id": "a", "n": 2, "note": "first"}, (0, 1, 0)),
    ],
)
async def test_duplicate_key_handling_decides_over_a_stored_key(
    here: House, handling: str, after: dict[str, Any], counts: tuple[int, int, int]
) -> None:
    w = here.workspace()
    declared(here.data, w, datasetId="d", **KEYED)
    await here.client.post(f"/v1/write/{w}/d", json=[{"id": "a", "n": 1, "note": "first"}])
    query = f"?duplicateKeyHandling={handling}" if handling else ""
    answer = await here.client.post(f"/v1/write/{w}/d{query}", json=[{"id": "a", "n": 2}])
    assert tuple(answer.json[name] for name in ("inserted", "replaced", "ignored")) == counts
    assert here.stored(w, "d") == [after]


async def test_one_key_many_times_in_a_write_is_taken_in_its_order(here: House) -> None:
    w = here.workspace()
    declared(here.data, w, datasetId="d", **KEYED)
    body = [{"id": "a", "n": 1}, {"id": "a", "note": "x"}, {"id": "b"}, {"id": "a", "n": None}]
    answer = await here.client.post(f"/v1/write/{w}/d?duplicateKeyHandling=merge", json=body)
    assert [answer.json[name] for name in ("inserted", "replaced", "ignored")] == [2, 2, 0]
    assert here.stored(w, "d") == [{"id": "a", "n": None, "note": "x"}, {"id": "b", "n": None, "note": None}]


async def test_a_merged_record_is_what_the_rules_see(here: House) -> None:
    w = here.workspace()
    declared(here.data, w, datasetId="d", **KEYED)
    rule = {"id": "both", "on": "d", "where": "n == 2 && note == 'kept'"}
    assert (await here.client.post(f"/v1/rules/{w}", json=rule)).status == 201
    await here.client.post(f"/v1/write/{w}/d", json=[{"id": "a", "note": "kept"}])
    await here.client.post(f"/v1/write/{w}/d?duplicateKeyHandling=ignore", json=[{"id": "a", "n": 2}])
    await here.client.post(f"/v1/write/{w}/d?duplicateKeyHandling=merge", json=[{"id": "a", "n": 2}])
    alerts = (await eventually(lambda: _alerts(here, w, 1)))["alerts"]
    event = {name: alerts[0]["event"][name] for name in ("id", "n", "note")}
    assert event == {"id": "a", "n": 2, "note": "kept"}


async def test_create_dataset_on_demand_false_is_404_for_an_unknown_one(here: House) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/write/{w}/d?createDatasetOnDemand=false", json=[{"a": 1}])
    assert (answer.status, answer.json["code"]) == (404, "dataset_not_found")
    assert catalogued(here.data, w, "d") is None
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": 1}])
    answer = await here.client.post(f"/v1/write/{w}/d?createDatasetOnDemand=false", json=[{"a": 2}])
    assert (answer.status, answer.json["inserted"]) == (200, 1)


async def test_parameters_nobody_knows_are_listed_and_ignored(here: House) -> None:
    answer = await here.client.post(
        f"/v1/record/{here.workspace()}/d?wiat=true&zebra=1&wait=true", json=[{"a": 1}]
    )
    assert answer.status == 200
    assert answer.headers["Sluice-Ignored"] == "wiat, zebra"
    answer = await here.client.post(f"/v1/record/{here.workspace()}/d?atomic=true", json=[{"a": 1}])
    assert "Sluice-Ignored" not in answer.headers


async def test_ignored_parameters_are_listed_in_a_refusal_too(here: House) -> None:
    answer = await here.client.post(f"/v1/record/{here.workspace()}/d?atmoic=true", json=[1])
    assert answer.status == 422
    assert answer.headers.get("Sluice-Ignored") == "atmoic"


@pytest.mark.parametrize(
    "query",
    [
        *("wait=yes", "wait=", "event=2", "persist=nein", "createDatasetOnDemand=x", "atomic=%00"),
        *(
            "duplicateKeyHandling=upsert",
            "duplicateKeyHandling=",
            "timeout=0",
            "timeout=0.09",
            "timeout=60.1",
        ),
        *("timeout=-1", "timeout=x", "timeout=nan", "timeout=inf", "timeout=", "timeout=10s"),
    ],
)
async def test_a_bad_value_is_400_naming_the_parameter(here: House, query: str) -> None:
    answer = await here.client.post(f"/v1/record/{here.workspace()}/d?{query}", json=[{"a": 1}])
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")
    assert query.partition("=")[0] in answer.json["detail"]


@pytest.mark.parametrize("query", ["timeout=0.1", "timeout=60", "timeout=2.5"])
async def test_timeouts_within_their_bounds_are_taken(here: House, query: str) -> None:
    answer = await here.client.post(f"/v1/record/{here.workspace()}/d?{query}", json=[{"a": 1}])
    assert answer.status in (202, 503)  # a tenth of a second may be too short on a busy machine


async def test_hundreds_of_parameters_are_refused(here: House) -> None:
    query = "&".join(f"p{i}=1" for i in range(300))
    answer = await here.client.post(f"/v1/record/{here.workspace()}/d?{query}", json=[{"a": 1}])
    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")


async def _alerts(here: House, workspace: str, count: int) -> Any:
    answer = await here.client.get(f"/v1/alerts/{workspace}")
    assert len(answer.json["alerts"]) == count
    return answer.json
