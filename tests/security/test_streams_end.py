"""Streams of events and alerts end when the token that opened them does, and tell nothing after it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stage.events import streaming
from tests.stage.house import House, house

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = ("alerts", "events", "events/d")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("streams")) as running:
        yield running


async def prepared(here: House, **more: object) -> tuple[str, str, str]:
    """Return a workspace with a rule, and a new reader's token with its id."""
    w = here.workspace()
    await here.client.post(f"/v1/rules/{w}", json={"id": "r", "on": "d", "where": "n > 0"})
    body = {"workspace": w, "scopes": ["read"], **more}
    made = await here.client.post("/v1/tokens", json=body)
    assert made.status == 201
    return w, made.json["token"], made.json["id"]


def url_of(here: House, kind: str, workspace: str) -> str:
    word, _, dataset = kind.partition("/")
    return f"{here.client.url}/v1/{word}/{workspace}{'/' if dataset else ''}{dataset}/stream"


async def wrote(here: House, workspace: str, n: int) -> None:
    assert (await here.client.post(f"/v1/write/{workspace}/d", json={"n": n})).status == 200


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_ends_without_another_word_once_its_token_is_revoked(here: House, kind: str) -> None:
    w, token, token_id = await prepared(here)
    async with streaming(url_of(here, kind, w), token) as stream:
        await wrote(here, w, 1)
        await stream.until(lambda sent: len(sent) == 1)
        assert (await here.client.delete(f"/v1/tokens/{token_id}")).status == 204
        await wrote(here, w, 2)
        await asyncio.wait_for(stream.ended.wait(), 10)
        assert len(stream.sent) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_ends_without_another_word_once_its_token_has_expired(here: House, kind: str) -> None:
    expires = time.time() + 3
    w, token, _ = await prepared(here, expires=expires)
    async with streaming(url_of(here, kind, w), token) as stream:
        await wrote(here, w, 1)
        seen = await stream.until(lambda sent: len(sent) == 1)
        await asyncio.sleep(max(0.0, expires - time.time()) + 0.05)
        await wrote(here, w, 2)
        await asyncio.wait_for(stream.ended.wait(), 10)
        assert stream.sent == seen


async def test_the_streams_of_others_go_on(here: House) -> None:
    w, token, token_id = await prepared(here)
    async with (
        streaming(url_of(here, "events", w), token) as ending,
        streaming(url_of(here, "events", w), here.client.token) as going_on,
    ):
        assert (await here.client.delete(f"/v1/tokens/{token_id}")).status == 204
        await wrote(here, w, 1)
        await going_on.until(lambda sent: len(sent) == 1)
        await asyncio.wait_for(ending.ended.wait(), 10)
        assert ending.sent == []
