"""The store on SQLite: transactions that share a commit share nothing else."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from rules.errors import Later, Never
from storage.sqlite.engine import SqliteStore

MAKE = text("CREATE TABLE t (n INTEGER PRIMARY KEY, x TEXT NOT NULL) STRICT")
PUT = "INSERT INTO t VALUES ({}, 'x')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.db"


@pytest.fixture
def engine(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    monkeypatch.setattr("storage.sqlite.engine.BUSY_MS", 50)
    store = SqliteStore(path)
    store.write(lambda c: c.execute(MAKE).close()).result(5)
    try:
        yield store
    finally:
        store.close()


def put(number: int, trouble: BaseException | None = None) -> Any:
    """Return a body that inserts a number, and then raises."""

    def body(c: Connection) -> int:
        c.execute(text(PUT.format(number)))
        if trouble is not None:
            raise trouble
        return number

    return body


def numbers(engine: SqliteStore) -> list[int]:
    return engine.read(lambda c: list(c.execute(text("SELECT n FROM t ORDER BY n")).scalars())).result(5)


class Together:
    """Holds the writer up, so that what is handed over meanwhile shares a transaction."""

    def __init__(self, engine: SqliteStore) -> None:
        self._gate, self._begun = threading.Event(), threading.Event()
        self._held = engine.write(self._hold)

    def _hold(self, _: Connection) -> None:
        self._begun.set()
        assert self._gate.wait(10)

    def __enter__(self) -> None:
        assert self._begun.wait(10)

    def __exit__(self, *_: object) -> None:
        self._gate.set()
        self._held.result(5)


def test_what_is_written_is_read_and_returned(engine: SqliteStore) -> None:
    assert engine.write(put(1)).result(5) == 1
    assert numbers(engine) == [1]


def test_a_body_that_fails_undoes_itself_and_nobody_else(engine: SqliteStore) -> None:
    with Together(engine):
        futures = [
            engine.write(put(1)),
            engine.write(put(2, KeyError("mine"))),
            engine.write(put(3)),
            engine.write(put(1)),
            engine.write(put(4)),
        ]
    assert [futures[i].result(5) for i in (0, 2, 4)] == [1, 3, 4]
    assert isinstance(futures[1].exception(5), KeyError)
    assert isinstance(futures[3].exception(5), Never)
    assert numbers(engine) == [1, 3, 4]


def test_bodies_that_share_a_transaction_run_in_their_order(engine: SqliteStore) -> None:
    seen: list[int] = []

    def note(number: int, _: Connection) -> None:
        seen.append(number)

    with Together(engine):
        futures = [engine.write(partial(note, number)) for number in range(200)]
    for future in futures:
        future.result(5)
    assert seen == list(range(200))


def test_a_locked_database_is_later_for_all_and_the_bodies_may_run_again(
    engine: SqliteStore, path: Path
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Together(engine):
        futures = [engine.write(put(1)), engine.write(put(2))]
    assert [type(future.exception(5)) for future in futures] == [Later, Later]
    assert numbers(engine) == []
    other.execute("ROLLBACK")
    other.close()
    assert [engine.write(put(n)).result(5) for n in (1, 2)] == [1, 2]
    assert numbers(engine) == [1, 2]


def test_readers_go_on_while_a_writer_is_locked_out(engine: SqliteStore, path: Path) -> None:
    engine.write(put(1)).result(5)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO t VALUES (2, 'x')")
    assert numbers(engine) == [1]
    other.execute("COMMIT")
    other.close()
    assert numbers(engine) == [1, 2]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("INSERT INTO t VALUES ('no number', 'x')", "wrong_type"),
        ("INSERT INTO t VALUES (1, NULL)", "schema_violation"),
        ("INSERT INTO t VALUES (1, CAST(zeroblob(100) AS BLOB))", "wrong_type"),
    ],
)
def test_a_value_the_database_refuses_for_good_is_never(
    engine: SqliteStore, statement: str, code: str
) -> None:
    error = engine.write(lambda c: c.execute(text(statement)).close()).exception(5)
    assert isinstance(error, Never)


def test_a_wrong_statement_is_neither_later_nor_never(engine: SqliteStore) -> None:
    error = engine.write(lambda c: c.execute(text("SELECT nothing FROM nowhere")).close()).exception(5)
    assert error is not None
    assert not isinstance(error, Later | Never)
    assert engine.write(put(1)).result(5) == 1


def test_readers_can_change_nothing(engine: SqliteStore) -> None:
    assert engine.read(put(1)).exception(5) is not None
    assert numbers(engine) == []


def test_a_future_that_was_cancelled_holds_up_nobody(engine: SqliteStore) -> None:
    with Together(engine):
        cancelled: Future[int] = engine.write(put(1))
        others = [engine.write(put(2)), engine.write(put(3))]
        cancelled.cancel()
    assert [future.result(1) for future in others] == [2, 3]
    assert engine.write(put(4)).result(5) == 4


def test_a_future_that_was_cancelled_and_whose_body_fails_holds_up_nobody(engine: SqliteStore) -> None:
    with Together(engine):
        cancelled: Future[int] = engine.write(put(1, KeyError("mine")))
        other = engine.write(put(2))
        cancelled.cancel()
    assert other.result(1) == 2
    assert engine.write(put(3)).result(5) == 3


async def test_a_task_that_is_cancelled_while_it_waits_holds_up_nobody(engine: SqliteStore) -> None:
    with Together(engine):
        task = asyncio.ensure_future(asyncio.wrap_future(engine.write(put(1))))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await asyncio.to_thread(engine.write(put(2)).result, 1) == 2


def test_a_closed_store_says_later(path: Path) -> None:
    store = SqliteStore(path)
    store.write(lambda c: c.execute(MAKE).close()).result(5)
    store.close()
    store.close()
    assert isinstance(store.write(put(1)).exception(5), Later)


def test_a_closed_store_says_later_to_readers_too(path: Path) -> None:
    store = SqliteStore(path)
    store.write(lambda c: c.execute(MAKE).close()).result(5)
    store.close()
    assert isinstance(store.read(lambda c: 1).exception(5), Later)


def test_close_finishes_what_was_handed_over(engine: SqliteStore, path: Path) -> None:
    with Together(engine):
        futures = [engine.write(put(n)) for n in range(100)]
        closing = threading.Thread(target=engine.close)
        closing.start()
    closing.join(10)
    assert [future.result(1) for future in futures] == list(range(100))
    with sqlite3.connect(path) as after:
        assert after.execute("SELECT count(*) FROM t").fetchone() == (100,)


def test_many_threads_write_and_read_at_once(engine: SqliteStore) -> None:
    def work(base: int) -> None:
        for n in range(base, base + 50):
            engine.write(put(n)).result(10)
            assert n in numbers(engine)

    threads = [threading.Thread(target=work, args=(base,)) for base in range(0, 200, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert numbers(engine) == list(range(200))


@pytest.mark.parametrize("name", ["what? #1", "50%41", "ü x"])
def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    store = SqliteStore(tmp_path / name / "engine.db")
    try:
        store.write(lambda c: c.execute(MAKE).close()).result(5)
        store.write(put(1)).result(5)
        assert numbers(store) == [1]
    finally:
        store.close()
