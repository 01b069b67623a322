"""A database copied from SQLite to PostgreSQL is there whole and the same, or not at all."""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from rules.schema.declare import declare
from rules.token import Token
from storage import datasets, identity, tokens
from storage.migrate import migrate
from storage.postgres import copying
from storage.postgres.engine import PostgresStore
from storage.sqlite.engine import SqliteStore
from storage.tables import table_of
from storage.transfer import TransferError, copy_all, occupied
from tests.stage.postgres import fresh_database

LONG = {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": ["number", "null"]}}}


@pytest.fixture
def old(tmp_path: Path) -> Iterator[SqliteStore]:
    """A database on SQLite with a dataset of three rows, and a lane run whose row is gone."""
    store = SqliteStore(tmp_path / "old.db")

    def fill(c: Connection) -> None:
        migrate(c)
        tokens.keep(c, Token("t1", frozenset({"admin"})), "hash", 1)
        body = {"datasetId": "d", "schema": LONG, "columnMapping": {"key": "id"}}
        made = datasets.add(c, declare("acme", body, 0), 1)
        assert made is not None
        table = table_of(made)
        for n, key in enumerate((b"a", b"b", b"c" * 100)):
            row = dict.fromkeys((column.name for column in table.columns), None)
            c.execute(insert(table).values({**row, "_key": key, "_id": f"i{n}", "_at": n, "c2": n}))
        for _ in range(7):
            identity.begin_run(c, 1)
        c.execute(identity.RUN.delete())

    store.write(fill).result(30)
    yield store
    store.close()


@pytest.fixture
def new() -> Iterator[PostgresStore]:
    with fresh_database(tables=False) as address:
        store = PostgresStore(address)
        yield store
        store.close()


def carried(old: SqliteStore, new: PostgresStore) -> int:
    told: list[tuple[str, int]] = []
    copied = old.read(lambda a: new.write(lambda b: copy_all(a, b, lambda *one: told.append(one))).result(60))
    rows = copied.result(90)
    assert ("acme/d", 3) in told
    return rows


def test_rows_are_there_and_numbers_that_were_given_are_not_given_again(
    old: SqliteStore, new: PostgresStore
) -> None:
    assert new.read(occupied).result(30) is None
    assert carried(old, new) > 3

    def look(c: Connection) -> list[Any]:
        made = datasets.find(c, "acme", "d")
        assert made is not None
        return [tuple(row) for row in c.execute(select(table_of(made)).order_by("_at"))]

    assert new.read(look).result(30) == old.read(look).result(30)
    assert new.write(lambda c: identity.begin_run(c, time.time_ns())).result(30) == 8
    assert new.read(occupied).result(30) == "alembic_version"
    shown = new.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM ws_acme.d").scalar())
    assert shown.result(30) == 3


@pytest.mark.parametrize("what", ["fewer", "another"])
def test_a_copy_that_is_not_the_same_is_not_kept(
    old: SqliteStore, new: PostgresStore, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = copying.copy_rows

    def wrong(connection: Connection, table: Any, rows: Any) -> None:
        given = list(rows)
        if table.name.startswith("d1"):
            given = given[1:] if what == "fewer" else [*given[1:], [b"x", *given[0][1:]]]
        whole(connection, table, given)

    monkeypatch.setattr(copying, "copy_rows", wrong)
    with pytest.raises(TransferError, match=r"acme/d: 3 rows were read and [23] are there"):
        carried(old, new)
    assert new.read(occupied).result(30) is None


def test_what_postgresql_does_not_take_is_named_and_nothing_is_kept(
    old: SqliteStore, new: PostgresStore
) -> None:
    def longer(c: Connection) -> None:
        made = datasets.find(c, "acme", "d")
        assert made is not None
        key = Random(1).randbytes(20_000)  # no index of keys takes so much
        c.execute(insert(table_of(made)).values(_key=key, _id="i9", _at=9))

    old.write(longer).result(30)
    with pytest.raises(TransferError, match="acme/d: about row 4: PostgreSQL does not take it"):
        carried(old, new)
    assert new.read(occupied).result(30) is None
