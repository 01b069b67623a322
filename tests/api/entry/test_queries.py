"""Queries of callers: bounded in time and rows, and not all of the store's readers at once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest

from api.entry.queries import Queries
from rules.errors import Problem
from storage.bounded import TooMuch
from storage.store import Store
from tests.storage.database import opened

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "test.db", "sqlite") as store:
        yield store


async def refused(asking: Any) -> str:
    with pytest.raises(Problem) as problem:
        await asking
    return problem.value.code.name


async def test_what_takes_too_long_or_looks_at_too_much_is_told_by_name(store: Store) -> None:
    queries = Queries(store, seconds=0.1)

    def forever(c: Any, _: Any) -> Any:
        return c.exec_driver_sql(FOREVER).all()

    def too_much(*_: Any) -> None:
        raise TooMuch(5)

    for run in (queries.look, queries.search):
        assert await refused(run(forever)) == "query_too_slow"
        assert await refused(run(too_much)) == "scan_limit"
    assert await queries.search(lambda c, _: c.exec_driver_sql("SELECT 1").scalar()) == 1


async def test_two_searches_at_once_leave_readers_to_others_and_a_third_is_told_to_wait(store: Store) -> None:
    queries = Queries(store, seconds=0.2, at_once=2)
    go, both = Event(), Barrier(3)

    def waiting(*_: Any) -> bool:
        both.wait(60)
        return go.wait(60)

    under_way = [asyncio.create_task(queries.search(waiting)) for _ in range(2)]
    await asyncio.to_thread(both.wait, 60)
    try:
        assert await refused(queries.search(lambda *_: 1)) == "overloaded"
        assert await queries.look(lambda *_: 2) == 2
    finally:
        go.set()
    assert await asyncio.gather(*under_way) == [True, True]
    assert await queries.search(lambda *_: 3) == 3


async def test_a_turn_lasts_as_long_as_its_query_though_its_caller_has_gone(store: Store) -> None:
    queries = Queries(store, seconds=0.2, at_once=1)
    begun, go = Event(), Event()

    def waiting(*_: Any) -> None:
        begun.set()
        go.wait(60)

    gone = asyncio.create_task(queries.search(waiting))
    await asyncio.to_thread(begun.wait, 60)
    gone.cancel()
    try:
        assert await refused(queries.search(lambda *_: 1)) == "overloaded"
    finally:
        go.set()
    assert await Queries(store).look(lambda *_: 2) == 2
