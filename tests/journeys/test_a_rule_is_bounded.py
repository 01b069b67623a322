"""A rule that would run for ever is refused, or comes to an end; the others judge on."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("bounded")) as running:
        yield running


@pytest.mark.parametrize(
    "where",
    [
        "a > 0 && " * 2_000 + "a > 0",
        "(" * 200 + "a > 0" + ")" * 200,
        "-" * 500 + "a > 0",
        "a in [" + ", ".join("1" for _ in range(1_500)) + "]",
        "a > " + "9" * 4_000,
        "[1, 2].all(x, [1, 2].all(y, x > y))",
        "",
        "a >",
        "a = 1",
        "a ? b",
        "import os",
    ],
    ids=range(11),
)
async def test_a_condition_beyond_its_bounds_is_422(here: House, where: str) -> None:
    answer = await here.client.post(
        f"/v1/rules/{here.workspace()}", json={"id": "r", "on": "d", "where": where}
    )
    assert (answer.status, answer.json["status"]) == (422, 422)
    assert answer.json["code"] in ("bad_condition", "bad_rule")


async def test_a_regular_expression_that_would_never_end_ends(here: House) -> None:
    w = here.workspace()
    made = await here.client.post(
        f"/v1/rules/{w}", json={"id": "evil", "on": "d", "where": "s.matches('^(a+)+$')"}
    )
    assert made.status == 201
    await here.client.post(f"/v1/rules/{w}", json={"id": "good", "on": "d", "where": "n == 1"})
    async with asyncio.timeout(10):
        wrote = await here.client.post(f"/v1/write/{w}/d", json={"s": "a" * 50_000 + "!", "n": 1})
        assert wrote.status == 200

        async def judged() -> None:
            found = (await here.client.get(f"/v1/alerts/{w}")).json["alerts"]
            assert [alert["rule"] for alert in found] == ["good"]

        await eventually(judged)


async def test_a_pattern_that_grows_without_bound_is_refused_or_ends(here: House) -> None:
    w = here.workspace()
    where = "s.matches('((((a{1,100}){1,100}){1,100}){1,100})')"
    async with asyncio.timeout(10):
        made = await here.client.post(f"/v1/rules/{w}", json={"id": "huge", "on": "d", "where": where})
        assert made.status in (201, 422)
        wrote = await here.client.post(f"/v1/write/{w}/d", json={"s": "a" * 10_000})
        assert wrote.status == 200


async def test_a_dry_run_of_too_many_events_is_refused(here: House) -> None:
    body = {"rule": {"id": "r", "on": "d", "where": "n > 0"}, "events": [{"n": 1}] * 10_001}
    answer = await here.client.post(f"/v1/rules/{here.workspace()}/test", json=body)
    assert answer.status == 422
