"""Who may write where: tokens in all their places, and refusals (the contract, section 1)."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from rules.ids import token_hash
from rules.token import Scope
from storage import tokens
from tests.stage.house import House, house
from tests.stage.patience import eventually
from tests.stage.stored import given_token, read, write

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("credentials")) as running:
        yield running


GRANTS: dict[str, tuple[set[Scope], str | None]] = {
    "write": ({"write"}, None),
    "write d": ({"write"}, "d"),
    "read": ({"read"}, None),
    "rules": ({"rules"}, None),
    "admin": ({"admin"}, None),
    "revoked": ({"write"}, None),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secrets(here: House) -> dict[str, str]:
    """Return a token of the workspace `mine` for each of `GRANTS`, all of them known to the broker."""
    made = {name: given_token(here.data, scopes, "mine", of) for name, (scopes, of) in GRANTS.items()}
    for secret in made.values():
        await eventually(lambda secret=secret: known(here, secret))  # type: ignore[misc]
    return made


async def known(here: House, secret: str) -> None:
    assert await status(here, "/v1/writes/0", {"x-api-key": secret}, method="GET") != 401


async def status(here: House, path: str, headers: dict[str, str], method: str = "POST") -> int:
    """Return the status of a write with these headers and no others of credentials."""
    url = here.client.url + path
    async with here.client.session.request(method, url, headers=headers, json=[{"a": 1}]) as answer:
        body = await answer.json(content_type=None)
        if answer.status in (401, 403):
            assert answer.content_type == "application/problem+json"
            assert body["code"] in ("no_token", "bad_token", "forbidden")
        return answer.status


async def test_a_token_is_taken_from_each_of_its_four_places(here: House) -> None:
    token, path = here.client.token, f"/v1/record/{here.workspace()}/d"
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"bEARER {token}"},
        {"Authorization": f"Bearer   {token} "},
        {"Authorization": f"Token {token}"},
        {"Authorization": f"TOKEN {token}"},
        {"x-api-key": token},
        {"X-API-KEY": token},
    ):
        assert await status(here, path, headers) == 202, headers
    assert await status(here, f"{path}?token={token}", {}) == 202
    assert await status(here, f"{path}?wait=false&token={token}", {}) == 202


async def test_a_token_in_the_query_is_no_parameter_nobody_knows(here: House) -> None:
    path = f"/v1/record/{here.workspace()}/d?token={here.client.token}"
    async with here.client.session.post(here.client.url + path, json=[{"a": 1}]) as answer:
        assert answer.status == 202
        assert "Sluice-Ignored" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({}, "?token="),
        ({"Authorization": ""}, ""),
        ({"Authorization": "Bearer"}, ""),
        ({"Authorization": "Bearer nope"}, ""),
        ({"Authorization": "Basic dTpw"}, ""),
        ({"Authorization": "Digest x"}, ""),
        ({"x-api-key": "é"}, ""),
        ({}, "?token=nope"),
        ({}, "?token=%F0%9F%00"),
    ],
)
async def test_no_token_and_a_bad_one_are_401(here: House, headers: dict[str, str], query: str) -> None:
    w = here.workspace()
    for path in (f"/v1/record/{w}/d", f"/v1/rules/{w}", f"/v1/subscriptions/{w}"):
        assert await status(here, path + query, headers) == 401
    async with here.client.session.get(f"{here.client.url}/v1/alerts/{w}{query}", headers=headers) as answer:
        assert answer.status == 401
        assert "www-authenticate" in answer.headers


async def test_the_401_says_whether_a_token_came(here: House) -> None:
    url = f"{here.client.url}/v1/record/w/d"
    async with here.client.session.post(url, json=[]) as answer:
        assert (await answer.json(content_type=None))["code"] == "no_token"
    async with here.client.session.post(url, json=[], headers={"x-api-key": "sk_x"}) as answer:
        assert (await answer.json(content_type=None))["code"] == "bad_token"


async def test_a_token_writes_in_its_own_workspace_only(here: House, secrets: dict[str, str]) -> None:
    own = {"x-api-key": secrets["write"]}
    assert await status(here, "/v1/record/mine/d", own) == 202
    assert await status(here, "/v1/record/MINE/D", own) == 202
    assert await status(here, f"/v1/record/{here.workspace()}/d", own) == 403
    assert await status(here, "/v1/rules/mine", own) == 403
    assert await status(here, "/v1/alerts/mine", own, "GET") == 403


async def test_a_token_of_one_dataset_writes_there_only(here: House, secrets: dict[str, str]) -> None:
    own = {"x-api-key": secrets["write d"]}
    assert await status(here, "/v1/record/mine/d", own) == 202
    assert await status(here, "/v1/record/mine/D", own) == 202
    assert await status(here, "/v1/record/mine/e", own) == 403


@pytest.mark.parametrize("scope", ["read", "rules"])
async def test_scopes_other_than_write_do_not_write(here: House, secrets: dict[str, str], scope: str) -> None:
    assert await status(here, "/v1/record/mine/d", {"x-api-key": secrets[scope]}) == 403


async def test_admin_of_a_workspace_writes_there_and_nowhere_else(
    here: House, secrets: dict[str, str]
) -> None:
    own = {"x-api-key": secrets["admin"]}
    assert await status(here, "/v1/record/mine/d", own) == 202
    assert await status(here, f"/v1/record/{here.workspace()}/d", own) == 403


async def test_a_refused_caller_makes_nothing(here: House) -> None:
    w = here.workspace()
    assert await status(here, f"/v1/record/{w}/d", {"x-api-key": "sk_nope"}) == 401
    assert here.stored(w, "d") == []


async def test_an_expired_and_a_revoked_token_are_401(here: House, secrets: dict[str, str]) -> None:
    own = {"x-api-key": secrets["revoked"]}
    assert await status(here, "/v1/record/mine/d", own) == 202
    old = given_token(here.data, {"write"}, "mine", expires=time.time() - 1)
    revoked = read(here.data, tokens.by_hash)[token_hash(secrets["revoked"])]
    write(here.data, lambda c: tokens.revoke(c, revoked.id))

    async def refused() -> None:
        assert await status(here, "/v1/record/mine/d", own) == 401

    await eventually(refused)
    assert await status(here, "/v1/record/mine/d", {"x-api-key": old}) == 401


async def test_another_workspaces_write_is_not_told(here: House, secrets: dict[str, str]) -> None:
    theirs = (await here.client.post(f"/v1/write/{here.workspace()}/d", json={"a": 1})).json["writeId"]
    ours = (await here.client.post("/v1/write/mine/d", json={"a": 1})).json["writeId"]
    assert (await here.client.get(f"/v1/writes/{theirs}", token=secrets["read"])).status == 404
    assert (await here.client.get(f"/v1/writes/{ours}", token=secrets["read"])).status == 200
