"""`/v1/tokens`: made, listed, revoked, in force at once (the contract, section 1)."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.api.v1.asking import written
from tests.stage.broker import Answer
from tests.stage.house import House, house
from tests.stage.stored import read

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("tokens")) as running:
        yield running


async def make(here: House, by: str | None = None, **body: Any) -> Answer:
    return await here.client.post("/v1/tokens", json=body, token=by)


async def test_a_token_works_as_soon_as_it_is_made_and_no_longer_than_until_it_is_revoked(
    here: House,
) -> None:
    w = here.workspace()
    await written(here.client, w, "d", {"n": 1})
    made = await make(here, workspace=w, scopes=["read"])
    assert made.status == 201
    assert set(made.json) == {"id", "token"}
    secret = made.json["token"]
    assert (await here.client.get(f"/v1/data/{w}/d", token=secret)).status == 200
    assert (await here.client.delete(f"/v1/tokens/{made.json['id']}")).status == 204
    assert (await here.client.get(f"/v1/data/{w}/d", token=secret)).status == 401
    assert (await here.client.delete(f"/v1/tokens/{made.json['id']}")).status == 404


@pytest.mark.parametrize(
    ("scopes", "prefix"),
    [(["read"], "pk_"), (["read", "read"], "pk_"), (["read", "write"], "sk_"), (["admin"], "sk_")],
)
async def test_a_token_that_only_reads_begins_with_pk(here: House, scopes: list[str], prefix: str) -> None:
    made = await make(here, workspace="acme", scopes=scopes)
    assert made.json["token"].startswith(prefix)
    assert len(made.json["token"]) >= 40


async def test_a_list_shows_what_a_token_may_and_never_its_secret(here: House) -> None:
    w = here.workspace()
    made = await make(
        here, workspace=w, dataset="d", scopes=["write", "read"], title="shop", expires="2100-01-31"
    )
    listed = await here.client.get(f"/v1/tokens?workspace={w}")
    assert listed.json == {
        "tokens": [
            {
                "id": made.json["id"],
                "workspace": w,
                "dataset": "d",
                "scopes": ["read", "write"],
                "title": "shop",
                "expires": "2100-01-31T00:00:00Z",
            }
        ]
    }
    everything = await here.client.get("/v1/tokens")
    assert made.json["token"].encode() not in everything.body
    assert "admin" in [token["id"] for token in everything.json["tokens"]]


async def test_the_database_keeps_no_secret(here: House) -> None:
    secret = (await make(here, workspace="acme", scopes=["read"])).json["token"]
    rows = read(here.data, lambda c: str(c.exec_driver_sql("SELECT * FROM token").all()))
    assert secret not in rows
    assert secret.removeprefix("pk_") not in rows


async def test_an_admin_of_a_workspace_rules_over_its_tokens_and_no_others(here: House) -> None:
    w, other = here.workspace(), here.workspace()
    admin = (await make(here, workspace=w, scopes=["admin"])).json["token"]
    foreign = (await make(here, workspace=other, scopes=["read"])).json
    mine = await make(here, by=admin, workspace=w.upper(), scopes=["read"])
    assert mine.status == 201
    assert (await make(here, by=admin, workspace=other, scopes=["read"])).status == 403
    listed = await here.client.get("/v1/tokens", token=admin)
    assert {token["workspace"].lower() for token in listed.json["tokens"]} == {w}
    assert (await here.client.get(f"/v1/tokens?workspace={other}", token=admin)).status == 403
    assert (await here.client.delete(f"/v1/tokens/{foreign['id']}", token=admin)).status == 404
    assert (await here.client.delete(f"/v1/tokens/{mine.json['id']}", token=admin)).status == 204


@pytest.mark.parametrize(
    "rights", [{"scopes": ["read", "write", "rules"]}, {"scopes": ["admin"], "dataset": "d"}]
)
async def test_other_tokens_may_do_nothing_here(here: House, rights: dict[str, Any]) -> None:
    w = here.workspace()
    secret = (await make(here, workspace=w, **rights)).json["token"]
    assert (await make(here, by=secret, workspace=w, dataset="d", scopes=["read"])).status == 403
    assert (await here.client.get("/v1/tokens", token=secret)).status == 403
    assert (await here.client.delete("/v1/tokens/anything", token=secret)).status == 403


async def test_the_administrator_s_token_stays(here: House) -> None:
    refused = await here.client.delete("/v1/tokens/admin")
    assert refused.status == 403
    assert "SLUICE_ADMIN_TOKEN" in refused.json["detail"]
    assert (await here.client.get("/v1/tokens")).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"workspace": None},
        {"workspace": 5},
        {"workspace": "create"},
        {"workspace": "a b"},
        {"dataset": ["d"]},
        {"dataset": "_d"},
        {"scopes": []},
        {"scopes": None},
        {"scopes": "read"},
        {"scopes": ["read", "fly"]},
        {"scopes": [["read"]]},
        {"title": 7},
        {"title": "x" * 257},
        {"expires": "tomorrow"},
        {"expires": "2001-01-01"},
        {"expires": 0},
        {"expires": True},
        {"expires": 10**30},
        {"expires": -1e300},
        {"expires": [1]},
        {"expires": 99999999999},
        {"datasets": ["d"]},
        {"Dataset": "d"},
        {"expire": "2099-01-01"},
    ],
)
async def test_a_wrong_wish_is_400_and_makes_nothing(here: House, wrong: dict[str, Any]) -> None:
    before = len((await here.client.get("/v1/tokens")).json["tokens"])
    answer = await make(here, **{"workspace": "acme", "scopes": ["read"], **wrong})
    assert answer.status == 400
    assert len((await here.client.get("/v1/tokens")).json["tokens"]) == before


async def test_a_token_expires_when_it_says(here: House) -> None:
    w = here.workspace()
    moment = time.time() + 3600
    made = await make(here, workspace=w, scopes=["read"], expires=moment)
    (shown,) = (await here.client.get(f"/v1/tokens?workspace={w}")).json["tokens"]
    assert shown["expires"].startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)))
    assert (await here.client.get(f"/v1/datasets/{w}", token=made.json["token"])).status == 200


async def test_many_made_at_once_are_all_known_at_once(here: House) -> None:
    w = here.workspace()
    made = await asyncio.gather(*(make(here, workspace=w, scopes=["read"]) for _ in range(20)))
    seen = await asyncio.gather(*(here.client.get(f"/v1/datasets/{w}", token=m.json["token"]) for m in made))
    assert {answer.status for answer in seen} == {200}
