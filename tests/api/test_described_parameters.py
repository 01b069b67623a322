"""Whatever an endpoint reads of its parameters stands in the OpenAPI document, and the other way round."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
import pytest_asyncio

import api.entry.caller
import api.lane.lane
from api.entry.params import Params
from tests.stage.broker import Client
from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = ("get", "post", "put", "patch", "delete")
RULE = {"id": "r", "on": "d", "where": "a > 0"}
HOOK = {"kind": "webhook", "url": "https://example.com/"}
BODIES: dict[tuple[str, str], Any] = {
    ("post", "/v1/record/{workspace}/{dataset}"): [{"a": 1}],
    ("post", "/v1/write/{workspace}/{dataset}"): [{"a": 1}],
    ("post", "/v1/datasets/{workspace}"): {
        "datasetId": "new",
        "schema": {"type": "object", "properties": {}},
    },
    ("post", "/v1/data/{workspace}/{dataset}"): [{"k": "l", "s": "m"}],
    ("patch", "/v1/datasets/{workspace}/{dataset}"): {"title": "t"},
    ("post", "/v1/generate-schema/{workspace}"): [{"a": 1}],
    ("post", "/v1/sql/{workspace}"): {"query": "SELECT count(*) FROM d"},
    ("post", "/v1/rules/create"): {
        "ruleName": "n",
        "ruleSet": "d",
        "workspace": "w",
        "conditions": [["a", ">", 0]],
        "outputs": [{"method": "logs"}],
    },
    ("post", "/v1/rules/pause"): {"ruleId": "r", "workspace": "w"},
    ("post", "/v1/rules/resume"): {"ruleId": "r", "workspace": "w"},
    ("post", "/v1/rules/{workspace}"): {**RULE, "id": "other"},
    ("put", "/v1/rules/{workspace}/{rule}"): {**RULE, "on": "d"},
    ("post", "/v1/rules/{workspace}/test"): {"rule": RULE, "events": [{"a": 1}]},
    ("post", "/v1/rules/{workspace}/{rule}/test"): {"events": [{"a": 1}]},
    ("post", "/v1/alerts/{workspace}/{alert}/ack"): {"note": "seen"},
    ("post", "/v1/subscriptions/{workspace}"): HOOK,
    ("patch", "/v1/subscriptions/{workspace}/{subscription}"): {"url": "https://example.com/2"},
    ("post", "/v1/tokens"): {"workspace": "w", "scopes": ["read"]},
}
QUERIES = {
    ("post", "/v1/record/{workspace}/{dataset}"): "?wait=true",
    ("post", "/v1/write/{workspace}/{dataset}"): "?wait=true",
    ("delete", "/v1/data/{workspace}/{dataset}"): "?from=2020-01-01",
}
"""Without any, a write reads none, and a delete is refused."""
READ_BY_NAME = {"Idempotency-Key", "Last-Event-ID"}


class Heard(Params):
    """Parameters that tell what was read of them."""

    all: ClassVar[list["Heard"]] = []

    def __init__(self, query: bytes) -> None:
        super().__init__(query)
        Heard.all.append(self)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    with patch.object(api.entry.caller, "Params", Heard), patch.object(api.lane.lane, "Params", Heard):
        async with house(tmp_path_factory.mktemp("parameters")) as running:
            yield running


async def values(client: Client) -> dict[str, str]:
    """Make one of everything, and return what stands for each segment of a path."""
    keyed = {"type": "object", "properties": {"k": {"type": "string"}, "s": {"type": "string"}, "a": {}}}
    mapping = {"key": "k", "subkey": "s"}
    body = {"datasetId": "d", "schema": {**keyed, "required": ["k", "s"]}, "columnMapping": mapping}
    assert (await client.post("/v1/datasets/w", json=body)).status == 201
    assert (await client.post("/v1/rules/w", json=RULE)).status == 201
    hook = (await client.post("/v1/subscriptions/w", json=HOOK)).json["id"]
    wrote = await client.post("/v1/write/w/d", json=[{"k": "x", "s": "y", "a": 1}])
    token = (await client.post("/v1/tokens", json={"workspace": "w", "scopes": ["read"]})).json["id"]

    async def raised() -> str:
        return str((await client.get("/v1/alerts/w")).json["alerts"][0]["id"])

    alert = await eventually(raised, 20.0)
    job = (await client.post("/v1/data/w/loaded", data=b"[{}]")).json["jobId"]
    return {
        "workspace": "w",
        "dataset": "d",
        "key": "x",
        "subkey": "y",
        "rule": "r",
        "alert": alert,
        "job_id": job,
        "subscription": hook,
        "notification": alert,
        "value": "ruleSet",
        "write_id": wrote.json["writeId"],
        "token_id": token,
        "target": "d",
        "id": "1",
        "name": "renamed!",
    }


def operations(told: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each operation; those that end something come last."""
    found = [
        (path, method) for path, methods in told["paths"].items() for method in METHODS if method in methods
    ]
    for path, method in sorted(found, key=lambda one: (one[1] == "delete", -len(one[0]))):
        yield path, method, told["paths"][path][method]


async def test_what_is_read_of_the_parameters_and_what_is_described_are_the_same(here: House) -> None:
    told = (await here.client.get("/openapi.json")).json
    known = await values(here.client)
    wrong: dict[str, Any] = {}
    for path, method, operation in operations(told):
        if path.endswith("/stream") or not path.startswith("/v1"):
            continue
        where = re.sub(r"\{(\w+)\}", lambda match: known[match[1]], path)
        before = len(Heard.all)
        query = QUERIES.get((method, path), "")
        answer = await here.client.ask(method.upper(), where + query, json=BODIES.get((method, path)))
        assert answer.status < 500, (method, path, answer.body)
        read = set[str]().union(*(params._known for params in Heard.all[before:])) - {"token"}
        described = {p["name"] for p in operation.get("parameters", []) if p["in"] == "query"}
        if read != described:
            wrong[f"{method} {path}"] = {
                "read": read - described,
                "described": described - read,
                "as": answer,
            }
    assert wrong == {}


async def test_every_body_that_is_read_is_described(here: House) -> None:
    told = (await here.client.get("/openapi.json")).json
    described = {(method, path) for path, method, one in operations(told) if "requestBody" in one}
    assert {(method, path) for method, path in described if path.startswith("/v1")} == set(BODIES)


async def test_headers_that_change_an_answer_are_described(here: House) -> None:
    told = (await here.client.get("/openapi.json")).json
    named = {
        p["name"] for _, _, one in operations(told) for p in one.get("parameters", []) if p["in"] == "header"
    }
    assert named == READ_BY_NAME
