"""Pages of other origins may call where a setting names them (the contract, section 9)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stage.broker import Answer, Client, running_broker

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = "https://app.example"
LANE, REST = "/v1/record/acme/d", "/v1/rules/acme"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    data = tmp_path_factory.mktemp("origins")
    async with running_broker(data, cors_origins="https://App.example, http://localhost:3000") as running:
        yield running


async def preflight(client: Client, path: str, origin: str, method: str = "POST") -> Answer:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    async with client.session.options(client.url + path, headers=asked) as answer:
        return Answer(answer.status, answer.headers, await answer.read(), None)


@pytest.mark.parametrize("path", [LANE, REST, "/api/v2/write", "/dataload/postdata"])
async def test_a_preflight_needs_no_token_and_allows_the_headers_that_clients_send(
    client: Client, path: str
) -> None:
    answer = await preflight(client, path, PAGE)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "idempotency-key" in answer.headers["Access-Control-Allow-Headers"].lower()
    assert {"POST", "DELETE", "PATCH", "PUT"} <= set(
        answer.headers["Access-Control-Allow-Methods"].split(", ")
    )


async def test_another_origin_is_told_no_and_its_page_reads_nothing(client: Client) -> None:
    refused = await preflight(client, LANE, "https://evil.example")
    assert refused.status == 400
    assert "Access-Control-Allow-Origin" not in refused.headers
    wrote = await client.post(LANE, json=[{"a": 1}], headers={"Origin": "https://app.example.evil.example"})
    assert "Access-Control-Allow-Origin" not in wrote.headers


@pytest.mark.parametrize(
    ("path", "body"), [(LANE, [{"a": 1}]), (REST, {"id": "r", "on": "d", "where": "a > 0"})]
)
async def test_a_page_reads_the_answer_and_the_headers_that_tell_it_what_to_do(
    client: Client, path: str, body: object
) -> None:
    answer = await client.post(path + "?nonsense=1", json=body, headers={"Origin": PAGE})
    assert answer.status in (201, 202)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in answer.headers["Vary"]
    assert {"Retry-After", "Sluice-Ignored"} <= set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )
    assert answer.headers["Sluice-Ignored"] == "nonsense"


@pytest.mark.parametrize("path", [LANE, REST])
async def test_a_page_reads_a_refusal_too(client: Client, path: str) -> None:
    answer = await client.post(path, json=[1], token="nobody", headers={"Origin": "http://localhost:3000"})
    assert (answer.status, answer.json["code"]) == (401, "bad_token")
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


async def test_a_stream_is_readable_as_it_comes(client: Client) -> None:
    where = client.url + "/v1/alerts/acme/stream"
    headers = {"Authorization": f"Bearer {client.token}", "Origin": PAGE}
    async with client.session.get(where, headers=headers) as stream:
        assert stream.headers["Access-Control-Allow-Origin"] == PAGE


async def test_an_answer_to_nobodys_page_says_nothing_of_origins(client: Client) -> None:
    answer = await client.post(LANE, json=[{"a": 1}])
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_any_origin_may_call_but_without_credentials_where_the_setting_says_any(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with running_broker(tmp_path_factory.mktemp("any"), cors_origins="*") as running:
        asked = await preflight(running, LANE, "https://whoever.example")
        wrote = await running.post(LANE, json=[{"a": 1}], headers={"Origin": "https://whoever.example"})
        for answer in (asked, wrote):
            assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://whoever.example")
            assert "Access-Control-Allow-Credentials" not in answer.headers
        assert (asked.status, wrote.status) == (200, 202)


async def test_without_the_setting_no_origin_is_spoken_of(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with running_broker(tmp_path_factory.mktemp("none")) as running:
        asked = await preflight(running, LANE, PAGE)
        assert asked.status == 405
        wrote = await running.post(LANE, json=[{"a": 1}], headers={"Origin": PAGE})
        assert wrote.status == 202
        assert "Access-Control-Allow-Origin" not in {**asked.headers, **wrote.headers}
