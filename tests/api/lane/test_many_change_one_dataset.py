"""Many callers who bring new columns to one dataset at the same moment: all of them are served."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from rules.errors import Later
from storage.sqlite.engine import SqliteStore
from streams import catalogue
from streams.catalogue import Catalogue
from tests.stage.house import House, house

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = 40


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("growing")) as running:
        yield running


async def test_forty_that_each_bring_a_column_of_their_own_are_all_taken(here: House) -> None:
    w = here.workspace()
    posts = (here.client.post(f"/v1/write/{w}/d", json={f"c{n}": n}) for n in range(CALLERS))
    assert [answer.status for answer in await asyncio.gather(*posts)] == [200] * CALLERS
    dataset = (await here.client.get(f"/v1/datasets/{w}/d")).json
    assert {f"c{n}" for n in range(CALLERS)} <= dataset["schema"]["properties"].keys()
    assert len(here.stored(w, "d")) == CALLERS


async def test_points_that_each_bring_a_field_of_their_own_are_all_taken(here: House) -> None:
    w = here.workspace()

    async def post(n: int) -> Any:
        return await here.client.post(f"/api/v2/write?org={w}&bucket=b", data=f"m f{n}={n} {n}".encode())

    answers = await asyncio.gather(*map(post, range(CALLERS)))
    assert [answer.status for answer in answers] == [204] * CALLERS


async def test_who_waits_too_long_for_others_is_told_to_come_again(
    here: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "PATIENCE", 0.01)
    store = SqliteStore(here.data / "another.db")
    try:
        mine = Catalogue(store)
        async with mine.turn("w", "d"), mine.turn("w", "e"):
            with pytest.raises(Later, match="too many change the dataset 'D'"):
                async with mine.turn("W", "D"):
                    raise AssertionError("it is somebody else's turn")
        async with mine.turn("w", "d"):  # which is free again
            pass
    finally:
        store.close()
