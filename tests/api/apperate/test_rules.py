"""The rules paths of Apperate: who may, what edits change, what is refused, how it is shown."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.stage.broker import Answer
from tests.stage.collector import Collector
from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOGS = {"method": "logs"}
RULE = {"ruleName": "n", "ruleSet": "d", "conditions": [["a", ">", 1]], "outputs": [LOGS]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("rules"), allow_private_targets=True) as running:
        yield running


async def bare(here: House, path: str, body: Any) -> Answer:
    """Send a POST with no token but the one in its body."""
    async with here.client.session.post(here.client.url + path, json=body) as answer:
        return Answer(
            answer.status, answer.headers, await answer.read(), await answer.json(content_type=None)
        )


async def token(here: House, workspace: str, *scopes: str, dataset: str | None = None) -> str:
    body = {"workspace": workspace, "scopes": scopes, "dataset": dataset}
    made: str = (await here.client.post("/v1/tokens", json=body)).json["token"]
    return made


async def test_a_token_in_the_body_makes_pauses_and_resumes_a_rule_of_its_workspace(here: House) -> None:
    w = here.workspace()
    mine = await token(here, w, "rules", "read")
    made = await bare(here, "/v1/rules/create", {**RULE, "token": mine})
    assert made.status == 200
    rule = made.json["id"]
    for word, active in (("pause", False), ("resume", True)):
        answer = await bare(here, f"/v1/rules/{word}", {"ruleId": rule, "token": mine})
        assert (answer.status, answer.json["success"]) == (200, True)
        (shown,) = (await here.client.get(f"/v1/rules/info/{rule}", token=mine)).json
        assert shown["isActive"] is active
    assert (await here.client.get(f"/v1/rules/{w}/{rule}")).json["title"] == "n"
    gone = await here.client.session.delete(f"{here.client.url}/v1/rules/{rule}?token={mine}")
    assert gone.status == 200
    assert (await here.client.get("/v1/rules", token=mine)).json == []
    assert (await here.client.get(f"/v1/rules/info/{rule}", token=mine)).status == 404


@pytest.mark.parametrize("path", ["create", "pause", "resume"])
async def test_nobody_passes_without_the_right(here: House, path: str) -> None:
    w = here.workspace()
    rule = (await here.client.post("/v1/rules/create", json={**RULE, "workspace": w})).json["id"]
    body = {**RULE, "ruleId": rule, "id": rule}
    assert (await bare(here, f"/v1/rules/{path}", body)).json["code"] == "no_token"
    assert (await bare(here, f"/v1/rules/{path}", {**body, "token": "sk_guess"})).json["code"] == "bad_token"
    assert (await bare(here, f"/v1/rules/{path}", {**body, "token": 7})).json["code"] == "no_token"
    reader, other = await token(here, w, "read", "write"), await token(here, here.workspace(), "rules")
    bound = await token(here, w, "rules", dataset="d")
    for without in (reader, other, bound):
        refused = await bare(here, f"/v1/rules/{path}", {**body, "workspace": w, "token": without})
        assert (refused.status, refused.json["code"]) == (403, "forbidden")
        assert without not in refused.body.decode()
    strange = await bare(here, f"/v1/rules/{path}", {**body, "token": other})
    assert strange.status in (403, 404)
    (shown,) = (await here.client.get(f"/v1/rules/info/{rule}?workspace={w}")).json
    assert shown["isActive"]


@pytest.mark.parametrize("path", ["", "/info/{}", "/output/{}", "/schema", "/lookup/ruleSet"])
async def test_only_readers_of_the_workspace_are_shown_its_rules(here: House, path: str) -> None:
    w = here.workspace()
    rule = (await here.client.post("/v1/rules/create", json={**RULE, "workspace": w})).json["id"]
    where = f"/v1/rules{path.format(rule)}?workspace={w}"
    assert (await here.client.get(where, token=await token(here, w, "read"))).status == 200
    assert (await here.client.get(where, token=await token(here, w, "write"))).status == 403
    assert (await here.client.get(where, token=await token(here, here.workspace(), "read"))).status == 403
    async with here.client.session.get(here.client.url + where) as nobody:
        assert nobody.status == 401
    deleted = await here.client.delete(f"/v1/rules/{rule}?workspace={w}", token=await token(here, w, "read"))
    assert deleted.status == 403


async def test_an_edit_is_a_new_version_that_keeps_its_webhook_and_stays_paused(here: House) -> None:
    w = here.workspace()
    hook = {"method": "webhook", "url": "http://127.0.0.1:9/a", "frequency": "60"}
    rule = {**RULE, "workspace": w}
    made = (await here.client.post("/v1/rules/create", json={**rule, "outputs": [hook]})).json
    assert made["secret"].startswith("whsec_")
    await here.client.post("/v1/rules/pause", json={"ruleId": made["id"], "workspace": w})

    async def edit(output: dict[str, Any]) -> dict[str, Any]:
        changed = {**rule, "id": made["id"], "ruleName": "other", "outputs": [output]}
        answer = await here.client.post("/v1/rules/create", json=changed)
        assert (answer.status, answer.json["message"]) == (200, f"Rule {made['id']} has been updated")
        return dict(answer.json)

    async def subscriptions() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await here.client.get(f"/v1/subscriptions/{w}")).json["subscriptions"]
        return found

    (before,) = await subscriptions()
    assert "secret" not in await edit({**hook, "url": "http://127.0.0.1:9/b"})
    (after,) = await subscriptions()
    assert (after["id"], after["url"]) == (before["id"], "http://127.0.0.1:9/b")
    kept = (await here.client.get(f"/v1/rules/{w}/{made['id']}")).json
    assert (kept["title"], kept["state"], kept["cooldown"], kept["version"]) == ("other", "paused", "60s", 3)
    await edit(LOGS)
    assert await subscriptions() == []
    assert "secret" in await edit(hook)
    await here.client.delete(f"/v1/rules/{made['id']}?workspace={w}")
    assert await subscriptions() == []
    again = await here.client.post("/v1/rules/create", json={**rule, "id": made["id"]})
    assert (again.status, again.json["code"]) == (404, "rule_not_found")


async def test_only_its_own_webhook_is_told_signed_and_at_most_once_in_a_while(here: House) -> None:
    w = here.workspace()
    body = {"datasetId": "d", "columnMapping": {"key": "k"}}
    properties = {"k": {"type": "string"}, "a": {"type": "integer"}}
    await here.client.post(
        f"/v1/datasets/{w}", json={**body, "schema": {"type": "object", "properties": properties}}
    )
    secrets: list[str] = []
    with Collector() as mine, Collector() as other:
        for collector, name in ((mine, "x"), (other, "y")):
            output = {"method": "webhook", "url": collector.url, "frequency": 3600}
            rule = {**RULE, "workspace": w, "ruleSet": f"d:{name}", "outputs": [output]}
            made = await here.client.post("/v1/rules/create", json=rule)
            assert made.status == 200
            secrets.append(made.json["secret"])
        for n in (2, 3, 4):
            await here.client.post(f"/v1/write/{w}/d?duplicateKeyHandling=replace", json=[{"k": "x", "a": n}])
        await here.client.post(f"/v1/write/{w}/d", json=[{"k": "y", "a": 9}])
        await eventually(lambda: bool(other.received) and bool(mine.received), 20.0)
        assert [one.json["data"]["event"]["a"] for one in mine.received] == [2]
        assert [one.json["data"]["event"]["k"] for one in other.received] == ["y"]
        assert mine.received[0].signed_with(secrets[0])
        assert not mine.received[0].signed_with(secrets[1])
    rules = (await here.client.get(f"/v1/rules?workspace={w}")).json
    assert [(one["sent"], type(one["evaluated"])) for one in rules] == [(1, int), (1, int)]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"outputs": [{"method": "sms", "to": "1"}]}, "bad_rule", "outputs.method is one of webhook"),
        ({"outputs": [{"method": "email", "to": "a@b.example"}]}, "bad_subscription", "not supported yet"),
        ({"outputs": [{"method": "webhook"}]}, "bad_subscription", "'url' is missing"),
        ({"outputs": [LOGS, LOGS]}, "bad_rule", "exactly one"),
        ({"outputs": [{"method": "logs", "frequency": -1}]}, "bad_rule", "outputs.frequency"),
        ({"outputs": [{"method": "logs", "frequency": True}]}, "bad_rule", "outputs.frequency"),
        ({"type": "some"}, "bad_rule", "type is 'any'"),
        ({"conditions": []}, "bad_rule", "conditions is a list"),
        ({"conditions": [["a", ">"]]}, "bad_rule", "no triple"),
        ({"conditions": [["a", "~", 1]]}, "bad_rule", "operator '~'"),
        ({"conditions": [["a", ">", [1]]]}, "bad_rule", "the right side is a list"),
        ({"conditions": [["a`", ">", 1]]}, "bad_rule", "can't be named"),
        ({"conditions": [["a", ">", "x\ud800"]]}, "bad_json", "surrogate"),
        ({"conditions": [["a", ">", 1]] * 101}, "bad_rule", "1 to 100"),
        ({"ruleSet": "ANYEVENT"}, "bad_rule", "name the dataset"),
        ({"ruleSet": "d:"}, "bad_rule", "no key behind the colon"),
        ({"ruleSet": "d:AAPL"}, "bad_rule", "has none"),
        ({"ruleSet": "no-name"}, "bad_name", "dataset name"),
        ({"ruleSet": None}, "bad_rule", "'ruleSet' is missing"),
        ({"ruleName": None}, "bad_rule", "'ruleName' is missing"),
        ({"index": ["A:B:C"], "ruleSet": None}, "bad_rule", "WORKSPACE:NAMESPACE:ENTITY:FACT"),
        ({"index": ["w:DATASET:d:a"]}, "bad_rule", "not both"),
        ({"index": ["w:DATASET:d:a", "w:DATASET:e:a"], "ruleSet": None}, "bad_rule", "one record"),
        ({"index": ["w:q:X:a", "w:q:Y:a"], "ruleSet": None}, "bad_rule", "one record"),
        ({"index": ["w:DATASET:d:a"], "ruleSet": None}, "bad_rule", "$index[0]"),
        (
            {"index": ["w:DATASET:d:a"], "ruleSet": None, "conditions": [["$index[1]", ">", 1]]},
            "bad_rule",
            "no fact 1",
        ),
        ({"workspace": "info"}, "bad_name", "reserved"),
        ({"id": "no such rule"}, "rule_not_found", "no rule"),
    ],
)
async def test_what_is_wrong_is_named(here: House, change: dict[str, Any], code: str, words: str) -> None:
    given = {name: value for name, value in {**RULE, **change}.items() if value is not None}
    answer = await here.client.post("/v1/rules/create", json=given)
    assert (answer.json["code"], words in answer.json["detail"]) == (code, True), answer.json
    assert 400 <= answer.status < 500


async def test_a_condition_that_compares_unlike_types_is_refused_by_its_column(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": 1, "b": 2.5, "s": "x"}])
    rule = {**RULE, "workspace": w}
    refused = await here.client.post("/v1/rules/create", json={**rule, "conditions": [["a", ">", "much"]]})
    assert (refused.status, refused.json["code"]) == (422, "bad_condition")
    between = await here.client.post("/v1/rules/create", json={**rule, "conditions": [["a", "<", "b"]]})
    assert (between.status, between.json["where"]) == (200, "a < b")
    text = await here.client.post("/v1/rules/create", json={**rule, "conditions": [["s", "=", "b"]]})
    assert (text.status, text.json["where"]) == (200, 's == "b"')


async def test_a_body_is_bounded_before_anybody_knows_whose_it_is(here: House) -> None:
    async with here.client.session.post(
        here.client.url + "/v1/rules/create", data=b'{"token": "' + b"x" * 300_000 + b'"}'
    ) as answer:
        assert answer.status == 413
        assert (await answer.json(content_type=None))["code"] == "body_too_large"


async def test_the_schema_tells_columns_operators_and_outputs(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"n": 1, "t": "x", "b": True}])
    told = (await here.client.get(f"/v1/rules/schema?workspace={w}")).json
    columns = {one["value"]: one["type"] for one in told["schema"] if one["scope"] == "d"}
    assert columns == {"n": "number", "t": "string", "b": "boolean"}
    assert {one["value"]: one["enabled"] for one in told["notificationTypes"]} == {
        "webhook": True,
        "email": False,
        "logs": True,
    }
    for kind, column, right in (("number", "n", 1), ("string", "t", "x"), ("boolean", "b", True)):
        for operator in told["operators"][kind]:
            rule = {**RULE, "workspace": w, "conditions": [[column, operator["value"], right]]}
            assert (await here.client.post("/v1/rules/create", json=rule)).status == 200, operator
    looked = [one["value"] for one in told["schema"] if one["isLookup"]]
    assert looked == ["ruleSet"]
    assert [
        one["value"] for one in (await here.client.get(f"/v1/rules/lookup/ruleSet?workspace={w}")).json
    ] == ["d"]
    assert (await here.client.get("/v1/rules/lookup/sector")).status == 404
