"""Who may pass where: every route with every kind of token, and none without one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from itertools import product
from typing import get_args

import pytest
import pytest_asyncio

from api.app import DOORS
from rules.token import SCOPES, Scope
from tests.security.rows import OPEN, ROWS, WITHOUT_WORKSPACE, Row, every_route, path_of
from tests.stage.house import House, house

pytestmark = pytest.mark.asyncio(loop_scope="module")

Kind = tuple[Scope, str | None]
COLUMNS = {"k": {"type": "string"}, "s": {"type": "string"}}
KINDS: tuple[Kind, ...] = tuple(product(get_args(Scope), (None, "d", "e")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("scopes")) as running:
        for dataset in ("d", "e"):
            made = await running.client.post(
                "/v1/datasets/mine",
                json={
                    "datasetId": dataset,
                    "schema": {
                        "type": "object",
                        "properties": {"k": {"type": "string"}, "s": {"type": "string"}},
                    },
                    "columnMapping": {"key": "k", "subkey": "s"},
                },
            )
            assert made.status == 201
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tokens(here: House) -> Mapping[Kind, str]:
    """Return a token of the workspace `mine` for each scope, on all of it and on each of its datasets."""
    found = {}
    for scope, dataset in KINDS:
        body = {"workspace": "mine", "scopes": [scope], "dataset": dataset}
        made = await here.client.post("/v1/tokens", json=body)
        assert made.status == 201
        found[scope, dataset] = str(made.json["token"])
    return found


async def status(here: House, row: Row, path: str, token: str | None) -> int:
    """Return how a row's request is answered; a stream is left once its head is there."""
    headers = {**row.headers, **({} if token is None else {"x-api-key": token})}
    url = f"{here.client.url}{path}?{row.query}"
    async with (
        asyncio.timeout(20),
        here.client.session.request(row.method, url, headers=headers, json=row.body) as answer,
    ):
        return answer.status


async def test_every_route_of_the_lane_and_of_the_application_has_a_row() -> None:
    rows = {(row.method, row.path) for row in ROWS} | set(WITHOUT_WORKSPACE)
    assert every_route() == rows | {("GET", path) for path in OPEN}
    lane = {row.path for row in ROWS if row.method == "POST"}
    assert [door for door in DOORS if not any(path.startswith(f"{door}/") for path in lane)] == []


async def test_there_is_a_token_of_every_scope() -> None:
    assert {scope for scope, _ in KINDS} == SCOPES


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_token_passes_where_its_scope_is_asked_for_and_nowhere_else(
    here: House, tokens: Mapping[Kind, str], row: Row
) -> None:
    for (scope, dataset), token in tokens.items():
        reaches = dataset is None or row.bound or (row.dataset and dataset == "d")
        may = scope in (row.scope, row.other, "admin") and reaches
        answered = await status(here, row, path_of(row, "mine", "d"), token)
        assert (answered not in (401, 403)) is may, (scope, dataset, answered)
        assert answered < 500
        theirs = await status(here, row, path_of(row, "theirs", "d"), token)
        assert theirs == 403, (scope, dataset)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_nobody_passes_without_a_token_or_with_a_wrong_one(here: House, row: Row) -> None:
    for workspace, token in product(("mine", "theirs", "never"), (None, "sk_wrong", "")):
        assert await status(here, row, path_of(row, workspace, "d"), token) == 401


@pytest.mark.parametrize(("method", "path"), WITHOUT_WORKSPACE)
async def test_nobody_asks_for_tokens_and_writes_without_one(here: House, method: str, path: str) -> None:
    asked = path.replace("{token_id}", "admin").replace("{write_id}", "0" * 32)
    for headers in ({}, {"x-api-key": "sk_wrong"}):
        async with here.client.session.request(method, here.client.url + asked, headers=headers) as answer:
            assert answer.status == 401


@pytest.mark.parametrize("path", OPEN)
async def test_what_needs_no_token_answers_without_one_and_with_a_wrong_one(here: House, path: str) -> None:
    for headers in ({}, {"x-api-key": "sk_wrong"}):
        async with here.client.session.get(here.client.url + path, headers=headers) as answer:
            assert answer.status == (204 if path == "/ping" else 200)


async def test_tokens_are_for_those_who_administer_the_workspace(
    here: House, tokens: Mapping[Kind, str]
) -> None:
    for (scope, dataset), token in tokens.items():
        may = scope == "admin" and dataset is None
        body = {"workspace": "mine", "scopes": ["read"]}
        made = await here.client.post("/v1/tokens", json=body, token=token)
        assert made.status == (201 if may else 403)
        assert (await here.client.get("/v1/tokens", token=token)).status == (200 if may else 403)
        gone = await here.client.delete("/v1/tokens/tk_nothing", token=token)
        assert gone.status == (404 if may else 403)
        for theirs in ("theirs", "never"):
            other = await here.client.post("/v1/tokens", json={**body, "workspace": theirs}, token=token)
            assert other.status == 403
            assert (await here.client.get(f"/v1/tokens?workspace={theirs}", token=token)).status == 403
        assert (await here.client.delete("/v1/tokens/admin", token=token)).status == 403


async def test_what_became_of_a_write_is_for_those_who_read_or_write_there(
    here: House, tokens: Mapping[Kind, str]
) -> None:
    wrote = await here.client.post("/v1/write/mine/d", json={"k": "a", "s": "b"})
    path = f"/v1/writes/{wrote.json['writeId']}"
    for (scope, dataset), token in tokens.items():
        told = await here.client.get(path, token=token)
        if scope == "rules":
            assert told.status == 404
        else:
            assert told.json["state"] == ("logged" if dataset == "e" else "stored"), (scope, dataset)
            assert (told.json["dataset"] is None) is (dataset == "e")
