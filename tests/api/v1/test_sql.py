"""`POST /v1/sql/{workspace}`, on whichever engine the broker's store is."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.v1.asking import declared, quote, written
from tests.stage.house import House, house

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("sql")) as running:
        yield running


async def test_what_is_stored_is_asked_for_in_sql(here: House) -> None:
    workspace = here.workspace()
    await declared(here.client, workspace)
    await written(here.client, workspace, "quotes", quote("A", 1, 1, price=1.5), quote("B", 1, 2, price=2.5))
    answer = await here.client.post(
        f"/v1/sql/{workspace}",
        json={
            "query": "SELECT symbol, price * 2 AS twice FROM quotes WHERE price > :least",
            "parameters": {"least": 2},
        },
    )
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"columns": ["symbol", "twice"], "rows": [["B", 5.0]], "truncated": False}


async def test_what_is_written_and_answered_is_seen(here: House) -> None:
    workspace = here.workspace()
    for number in range(5):
        await written(here.client, workspace, "grows", {"n": number, f"column{number}": "x"})
        answer = await here.client.post(
            f"/v1/sql/{workspace}", json={"query": f"SELECT count(*), max(column{number}) FROM grows"}
        )
        assert answer.json["rows"] == [[number + 1, "x"]]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"query": "DELETE FROM quotes"}, 422, "not_a_select"),
        ({"query": "SELECT nope FROM quotes"}, 422, "bad_query"),
        ({"query": "SELECT * FROM token"}, 422, "bad_query"),
        ({"query": 1}, 422, "bad_query"),
        ({}, 422, "bad_query"),
        ([], 400, "bad_json"),
        ({"query": "SELECT :a", "parameters": []}, 400, "bad_parameter"),
        ({"query": "SELECT :a", "parameters": {"a": []}}, 400, "bad_parameter"),
        ({"query": "SELECT lower(:a)"}, 400, "bad_parameter"),
        ({"query": "SELECT 1", "parameters": {"a": 1}}, 400, "bad_parameter"),
    ],
)
async def test_what_can_not_be_answered_is_a_problem_with_its_code(
    here: House, body: object, status: int, code: str
) -> None:
    await written(here.client, "fixed", "quotes", {"symbol": "A"})
    answer = await here.client.post("/v1/sql/fixed", json=body)
    assert (answer.status, answer.json["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"query": "SELECT \xff"}', "bad_json"),
        (b'{"query": "SELECT \\ud800"}', "bad_json"),
        (b'{"query": "SELECT \\u0000"}', "bad_query"),
        (b'{"query": "SELECT lower(:a)", "parameters": {"a": "\\u0000"}}', "bad_parameter"),
        (b'{"query": "SELECT lower(:a)", "parameters": {"a": 1e999}}', "bad_json"),
        (b'{"query": "SELECT lower(:a)", "parameters": {"a": 9223372036854775808}}', "bad_parameter"),
        (b'{"query": "SELECT ' + b"(" * 30_000 + b'"}', "bad_query"),
        (b"SELECT 1", "bad_json"),
        (b"", "bad_json"),
    ],
)
async def test_bytes_that_are_no_question_are_refused(here: House, body: bytes, code: str) -> None:
    await written(here.client, "fixed", "quotes", {"symbol": "A"})
    answer = await here.client.post("/v1/sql/fixed", data=body)
    assert (answer.status, answer.json["code"]) == (422 if code == "bad_query" else 400, code)


async def test_a_workspace_that_is_not_there_is_404(here: House) -> None:
    answer = await here.client.post("/v1/sql/nobody", json={"query": "SELECT 1"})
    assert (answer.status, answer.json["code"]) == (404, "dataset_not_found")
    strange = await here.client.post("/v1/sql/no%22%00body", json={"query": "SELECT 1"})
    assert strange.status in (400, 404)


async def test_it_needs_read_on_the_whole_workspace(here: House) -> None:
    workspace = here.workspace()
    await written(here.client, workspace, "d", {"n": 1})
    for given, status in (
        ({"scopes": ["read"]}, 200),
        ({"scopes": ["admin"]}, 200),
        ({"scopes": ["write"]}, 403),
        ({"scopes": ["read"], "dataset": "d"}, 403),
    ):
        made = await here.client.post("/v1/tokens", json={"workspace": workspace, **given})
        answer = await here.client.post(
            f"/v1/sql/{workspace}", json={"query": "SELECT n FROM d"}, token=made.json["token"]
        )
        assert answer.status == status, given


async def test_many_questions_at_once_are_answered_or_told_to_come_again(here: House) -> None:
    workspace = here.workspace()
    await written(here.client, workspace, "d", {"n": 1})
    asked = [here.client.post(f"/v1/sql/{workspace}", json={"query": "SELECT n FROM d"}) for _ in range(40)]
    answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} <= {200, 503}
    assert all(answer.json["rows"] == [[1]] for answer in answers if answer.status == 200)
    assert all("Retry-After" in answer.headers for answer in answers if answer.status == 503)
    assert any(answer.status == 200 for answer in answers)
