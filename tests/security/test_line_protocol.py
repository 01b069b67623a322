"""The doors of line protocol and another workspace: an organization that is not one's own is not there."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.security.hidden import Theirs, blank, hidden

pytestmark = pytest.mark.asyncio(loop_scope="module")

POINT = "weather,city=oslo temp=1.5 1700000000000000000"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Theirs]:
    async with hidden(tmp_path_factory.mktemp("lines")) as made:
        written = await made.house.client.post("/api/v2/write?org=Hidden&bucket=vault&wait=true", data=POINT)
        assert written.status == 204, written.body
        yield made


async def listed(there: Theirs, token: str | None = None) -> dict[str, str]:
    """Return the ids of the organizations that a caller may see, by name."""
    answer = await there.ask("GET", "/api/v2/orgs", token)
    assert answer.status == 200
    return {org["name"]: org["id"] for org in answer.json["orgs"]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v2/write?bucket=vault&org="),
        ("POST", "/api/v2/write?bucket=never&orgID="),
        ("GET", "/api/v2/buckets?org="),
        ("GET", "/api/v2/buckets?name=vault&orgID="),
    ],
)
async def test_anothers_organization_is_like_one_that_is_not_there(
    there: Theirs, method: str, path: str
) -> None:
    ids = await listed(there, there.house.client.token)
    for token in (there.admin, there.of_dataset):
        names = ("Hidden", ids["Hidden"], "nowhere", "0123456789abcdef")
        sent = {"data": POINT} if method == "POST" else {}
        answers = [await there.ask(method, path + org, token, **sent) for org in names]
        blanked = [blank(answer, *names) for answer in answers]
        assert blanked.count(blanked[0]) == len(blanked)
        assert blanked[0][0] in (401, 403, 404)


async def test_only_ones_own_organizations_and_buckets_are_listed(there: Theirs) -> None:
    assert list(await listed(there)) == ["mine"]
    buckets = await there.ask("GET", "/api/v2/buckets")
    assert b"vault" not in buckets.body


async def test_a_caller_who_names_none_writes_into_his_own(there: Theirs) -> None:
    client = there.house.client
    before = (await client.get("/v1/datasets/Hidden")).body
    for path in (
        "/write?db=vault&wait=true",
        "/api/v2/write?bucket=vault&wait=true",
        "/api/v3/write_lp?db=vault",
    ):
        assert (await there.ask("POST", path, data=POINT)).status == 204
    assert (await client.get("/v1/datasets/Hidden")).body == before


@pytest.mark.parametrize("path", ["/write?db=b", "/api/v2/write?bucket=b", "/api/v3/write_lp?db=b"])
async def test_who_may_not_write_writes_no_points(there: Theirs, path: str) -> None:
    client = there.house.client
    for scope, dataset in (("read", None), ("rules", None), ("read", "d"), ("write", "d")):
        body = {"workspace": "mine", "scopes": [scope], "dataset": dataset}
        token = (await client.post("/v1/tokens", json=body)).json["token"]
        assert (await there.ask("POST", path, token, data=POINT)).status in (401, 403)


async def test_a_password_is_the_token_and_the_user_is_nobody(there: Theirs) -> None:
    session, url = there.house.client.session, there.house.client.url
    for user, password, status in (
        ("admin", "wrong", 401),
        ("", there.admin, 204),
        ("Hidden", there.admin, 204),
    ):
        asked = f"{url}/write?db=b&u={user}&p={password}"
        async with session.post(asked, data=POINT) as answer:
            assert answer.status == status
            assert password not in await answer.text()
    # the native doors take no passwords
    async with session.get(f"{url}/v1/alerts/mine?u=x&p={there.admin}") as answer:
        assert answer.status == 401
