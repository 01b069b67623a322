"""Where writes go: paths, names, methods, and what those who go astray are told (the contract, section 1)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stage.house import House, house
from tests.stage.stored import catalogued

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESERVED = ("create", "pause", "resume", "delete", "info", "output", "schema", "lookup")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("addresses")) as running:
        yield running


async def test_names_match_without_case(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/Quotes", json=[{"a": 1}])
    answer = await here.client.post(f"/v1/write/{w.upper()}/qUOTES", json=[{"a": 2}])
    assert (answer.status, answer.json["inserted"]) == (200, 1)
    assert here.stored(w, "quotes") == [{"a": 1}, {"a": 2}]
    made = catalogued(here.data, w, "QUOTES")
    assert made is not None and made.name == "Quotes"


@pytest.mark.parametrize("name", ["a", "A_1", "9", "x" * 64])
async def test_allowed_names_are_taken(here: House, name: str) -> None:
    answer = await here.client.post(f"/v1/write/{here.workspace()}/{name}", json=[{"a": 1}])
    assert answer.status == 200


@pytest.mark.parametrize("query", ["", "?persist=false"])
@pytest.mark.parametrize(
    "name", ["_d", "x" * 65, "a-b", "a.b", "a%20b", "%C3%A9", "a%00b", "d%0a", "%EF%BC%91", "a%22", "%F0%9F"]
)
async def test_names_against_the_law_are_400(here: House, name: str, query: str) -> None:
    w = here.workspace()
    for path in (f"/v1/record/{w}/{name}", f"/v1/record/{name}/d"):
        answer = await here.client.post(path + query, json=[{"a": 1}])
        assert (answer.status, answer.json["code"]) == (400, "bad_name"), path


@pytest.mark.parametrize("name", [".", ".."])
async def test_steps_of_a_path_are_no_ids_of_rules(here: House, name: str) -> None:
    rule = {"id": name, "on": "d", "where": "n > 0"}
    answer = await here.client.post(f"/v1/rules/{here.workspace()}", json=rule)
    assert (answer.status, answer.json["code"]) == (400, "bad_name")


@pytest.mark.parametrize("name", [*RESERVED, "Create", "LOOKUP"])
async def test_reserved_words_are_no_workspaces_but_datasets(here: House, name: str) -> None:
    answer = await here.client.post(f"/v1/record/{name}/d", json=[{"a": 1}])
    assert (answer.status, answer.json["code"]) == (400, "bad_name")
    answer = await here.client.post(f"/v1/record/{here.workspace()}/{name}", json=[{"a": 1}])
    assert answer.status == 202


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/record", "/v1/record/", "/v1/record/w", "/v1/record/w/", "/v1/record//d", "/v1/record/w/d/"),
        *("/v1/write/w/d/e", "/v1/record/w/d%2Fe", "/v1/recordx/w/d", "/v2/record/w/d"),
        *("/", "/v1", "/v1/nothing"),
    ],
)
async def test_addresses_where_nothing_is_are_404(here: House, path: str) -> None:
    answer = await here.client.post(path, json=[{"a": 1}])
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_other_methods_are_405(here: House, method: str) -> None:
    answer = await here.client.ask(method, f"/v1/record/{here.workspace()}/d")
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")


async def test_other_methods_of_other_addresses_are_405(here: House) -> None:
    answer = await here.client.delete(f"/v1/alerts/{here.workspace()}")
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")


async def test_a_405_says_which_methods_are_allowed(here: House) -> None:
    w = here.workspace()
    lane, rest = await here.client.get(f"/v1/record/{w}/d"), await here.client.delete(f"/v1/alerts/{w}")
    assert (lane.headers.get("Allow"), rest.headers.get("Allow")) == ("POST", "GET")


async def test_a_problem_has_all_its_fields(here: House) -> None:
    answer = await here.client.post(f"/v1/record/{here.workspace()}/d?wait=perhaps", json=[])
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "code", "detail", "success", "message"}
    assert (answer.json["status"], answer.json["success"]) == (400, False)
    assert answer.json["type"].endswith("bad_parameter")


async def test_health_and_readiness_and_metrics_ask_for_no_token(here: House) -> None:
    for path in ("/health", "/ready", "/metrics"):
        async with here.client.session.get(here.client.url + path) as answer:
            assert answer.status == 200, path
    ready = (await here.client.get("/ready")).json
    assert ready["status"] == "ready"
    assert {"started", "up", "parts"} <= set(ready)
    assert all(part["ok"] for part in ready["parts"].values())


@pytest.mark.parametrize(
    "write_id",
    ["", "x", "0" * 32, "f" * 32, "0" * 31, "00" * 17, "%00", "%F0%9F", "é", "../health", "a" * 5000],
)
async def test_a_write_id_that_was_never_given_is_404(here: House, write_id: str) -> None:
    answer = await here.client.get(f"/v1/writes/{write_id}")
    assert answer.status == 404
    assert answer.json["code"] in ("write_not_found", "not_found")


async def test_a_write_id_of_which_a_digit_was_changed_is_404(here: House) -> None:
    given = (await here.client.post(f"/v1/write/{here.workspace()}/d", json={"a": 1})).json["writeId"]
    for place in range(32):
        changed = given[:place] + ("0" if given[place] != "0" else "1") + given[place + 1 :]
        assert (await here.client.get(f"/v1/writes/{changed}")).status == 404


@pytest.mark.parametrize("path", ["/v1/data/w/d/", "/v1/rules/w/", "/v1/write/w/d/", "/api/v2/buckets/"])
async def test_a_slash_at_the_end_is_404_and_never_a_redirect_that_carries_the_token(
    here: House, path: str
) -> None:
    headers = {"Authorization": f"Bearer {here.client.token}"}
    url = here.client.url + path
    async with here.client.session.get(url, headers=headers, allow_redirects=False) as answer:
        assert answer.status in (404, 405)
        assert "Location" not in answer.headers
