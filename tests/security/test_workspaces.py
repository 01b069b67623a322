"""A caller of one workspace and the things of another: nothing is reached, and nothing is given away."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.security.hidden import SECRET_WORDS, Theirs, blank, hidden, named, tells
from tests.security.rows import NOTHING, ROWS, Row, path_of
from tests.stage.events import streaming
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Theirs]:
    async with hidden(tmp_path_factory.mktemp("hidden")) as made:
        yield made


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_another_workspace_answers_alike_whether_it_and_its_things_are_there_or_not(
    there: Theirs, row: Row
) -> None:
    theirs = {name: there.ids[name] for name in named(row) if name in there.ids and name != "dataset"}
    asked = [
        path_of(row, "Hidden", "vault", **theirs),
        path_of(row, "Hidden", "no_such_dataset"),
        path_of(row, "no_such_workspace", "vault", **theirs),
    ]
    for token in (there.admin, there.of_dataset):
        answers = [await there.ask(row.method, f"{path}?{row.query}", token, json=row.body) for path in asked]
        ours = ["Hidden", "vault", "no_such_workspace", "no_such_dataset", *theirs.values()]
        blanked = [blank(answer, *ours) for answer in answers]
        assert blanked[0] == blanked[1] == blanked[2]
        assert blanked[0][0] == 403
        for answer, path in zip(answers, asked, strict=True):
            assert tells(answer, path) == []


@pytest.mark.parametrize(
    "row",
    [r for r in ROWS if set(named(r)) & NOTHING.keys() | {"target"} & set(named(r))],
    ids=lambda r: r.name,
)
async def test_another_workspaces_ids_in_ones_own_are_like_ids_that_nothing_has(
    there: Theirs, row: Row
) -> None:
    """Each id of `Hidden` in turn, in a path of `mine`."""
    if row.stream:
        return
    for name in named(row):
        if name not in there.ids or name in ("dataset", "key", "subkey:path"):
            continue
        nothing = NOTHING.get(name, NOTHING["id"])
        theirs = path_of(row, "mine", "d", **{name: there.ids[name]})
        never = path_of(row, "mine", "d", **{name: nothing})
        # with a body that would do it, were the thing there
        would = {"note": "x"} if row.path.endswith("/ack") else {"message": "x"}
        body = would if row.body is not None else None
        first = await there.ask(row.method, theirs, json=body)
        second = await there.ask(row.method, never, json=body)
        assert blank(first, there.ids[name], nothing) == blank(second, there.ids[name], nothing)
        assert first.status in (404, 422), (theirs, first.status)
        assert tells(first, theirs) == []


async def test_what_hidden_has_is_there_still_after_all_of_that(there: Theirs) -> None:
    client = there.house.client
    ids = there.ids
    for path in (
        f"/v1/alerts/Hidden/{ids['alert']}",
        "/v1/rules/Hidden/burglary",
        f"/v1/subscriptions/Hidden/{ids['subscription']}",
        "/v1/datasets/Hidden/vault",
        f"/v1/writes/{there.write_id}",
    ):
        assert (await client.get(path)).status == 200
    assert (await client.get(f"/v1/alerts/Hidden/{ids['alert']}")).json["acknowledged"] is None
    assert len((await client.get("/v1/data/Hidden/vault/k")).json) == 1
    assert len((await client.get("/v1/quarantine/Hidden")).json["records"]) == 1


async def test_tokens_of_another_workspace_are_neither_listed_nor_revoked(there: Theirs) -> None:
    listed = (await there.ask("GET", "/v1/tokens")).json["tokens"]
    assert {token["workspace"] for token in listed} == {"mine"}
    theirs = await there.ask("DELETE", f"/v1/tokens/{there.token_id}")
    never = await there.ask("DELETE", "/v1/tokens/tk_0123456789abcdef")
    assert blank(theirs, there.token_id) == blank(never, "tk_0123456789abcdef")
    assert theirs.status == 404
    assert there.token_id in (await there.house.client.get("/v1/tokens?workspace=Hidden")).body.decode()


async def test_an_idempotency_key_of_another_workspace_is_ones_own_to_use(there: Theirs) -> None:
    headers = {"Idempotency-Key": "same"}
    wrote = await there.ask("POST", "/v1/write/mine/d", json={"k": "i", "s": "s"}, headers=headers)
    assert (wrote.status, wrote.json["inserted"]) == (200, 1)
    assert wrote.json["writeId"] != there.write_id


async def test_a_last_event_id_of_another_workspace_is_like_one_that_nobody_sent(there: Theirs) -> None:
    rule = {"id": "here", "on": "d", "where": "k == 'raise'"}
    assert (await there.ask("POST", "/v1/rules/mine", json=rule)).status == 201
    await there.ask("POST", "/v1/write/mine/d", json={"k": "raise", "s": "1"})

    async def both() -> str:
        assert (await there.ask("GET", "/v1/alerts/mine")).json["alerts"]
        late = {"k": "late", "s": "s", "jewel": "jewel"}
        await there.house.client.post("/v1/write/Hidden/vault", json=late)
        alert = (await there.house.client.get("/v1/alerts/Hidden?limit=1")).json["alerts"][0]
        assert alert["event"]["k"] == "late"
        return str(alert["id"])

    later = await eventually(both)  # told after ours: who resumes there would miss it
    url = f"{there.house.client.url}/v1/alerts/mine/stream"
    for last in (later, there.ids["notification"], "never", "a" * 4_000):
        async with streaming(url, there.admin, last) as stream:
            sent = await stream.until(lambda sent: bool(sent))
            assert {one.data["workspace"] for one in sent} == {"mine"}


async def test_a_place_in_anothers_pages_shows_ones_own_things_only(there: Theirs) -> None:
    client = there.house.client
    for n in range(3):
        await client.post("/v1/write/Hidden/vault", json={"k": f"k{n}", "s": "s", "jewel": "jewel"})

    async def several() -> str:
        found = (await client.get("/v1/alerts/Hidden?limit=2")).json
        assert found["next"]
        return str(found["next"])

    place = await eventually(several)
    alerts = await there.ask("GET", f"/v1/alerts/mine?after={place}")
    assert {alert["workspace"] for alert in alerts.json["alerts"]} <= {"mine"}
    for path in (f"/v1/quarantine/mine?after={int(there.ids['id']) - 1}", "/v1/datasets/mine?after=a"):
        answer = await there.ask("GET", path)
        assert answer.status == 200
        assert tells(answer) == []
    redriven = await there.ask("POST", "/v1/quarantine/mine/d/redrive")
    assert (redriven.json["redriven"], redriven.json["remaining"]) == (0, 0)


async def test_a_rule_that_names_anothers_dataset_and_subscription_sees_and_tells_neither(
    there: Theirs,
) -> None:
    theirs = there.ids["subscription"]
    rule = {"id": "spy", "on": "vault", "where": "jewel > 1", "notify": [theirs]}
    made = await there.ask("POST", "/v1/rules/mine", json=rule)
    # one whose columns are known would be refused: jewel is a text there
    assert (made.status, bool(made.json["warnings"])) == (201, True)
    await there.ask(
        "POST", "/v1/rules/mine", json={"id": "loud", "on": "d", "where": "true", "notify": [theirs]}
    )
    before = len((await there.house.client.get(f"/v1/subscriptions/Hidden/{theirs}/deliveries")).json)
    await there.ask("POST", "/v1/write/mine/d", json={"k": "loud", "s": "1"})

    async def raised() -> None:
        found = (await there.ask("GET", "/v1/alerts/mine?rule=loud")).json["alerts"]
        assert len(found) == 1

    await eventually(raised)
    after = (await there.house.client.get(f"/v1/subscriptions/Hidden/{theirs}/deliveries")).json
    assert len(after) == before
    for name in ("spy", "loud"):
        assert (await there.ask("DELETE", f"/v1/rules/mine/{name}")).status == 204


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/datasets/mine", {"workspace": "Hidden", "datasetId": "planted"}),
        ("/v1/rules/mine", {"workspace": "Hidden", "id": "planted", "on": "vault", "where": "true"}),
        ("/v1/subscriptions/mine", {"workspace": "Hidden", "kind": "webhook", "url": "https://e.example"}),
        ("/v1/rules/mine/test", {"rule": {"id": "r", "on": "vault", "where": "jewel > 1"}, "events": [{}]}),
        ("/v1/write/mine/d?workspace=Hidden", {"k": "planted", "s": "s", "workspace": "Hidden"}),
    ],
)
async def test_a_workspace_named_in_a_body_or_a_parameter_is_not_the_one_that_is_meant(
    there: Theirs, path: str, body: object
) -> None:
    answer = await there.ask("POST", path, json=body)
    assert answer.status < 500
    assert tells(answer, json.dumps(body)) == []
    client = there.house.client
    listed = [
        (await client.get(f"/v1/{word}/Hidden")).body.decode()
        for word in ("datasets", "rules", "subscriptions")
    ]
    assert not any("planted" in text or "e.example" in text for text in listed)


async def test_neither_metrics_nor_readiness_nor_documents_name_anybodys_things(there: Theirs) -> None:
    for path in ("/metrics", "/ready", "/health", "/openapi.json", "/docs", "/docs/errors"):
        text = (await there.ask("GET", path)).body.decode()
        names = [*SECRET_WORDS, *(one for one in there.ids.values() if len(one) > 10), there.write_id]
        assert [name for name in names if name in text] == []
