"""A database that is full, in the middle of a transaction that several share."""

from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection

from rules.errors import Later
from storage.sqlite.engine import SqliteStore


def _insert(size: int, c: Connection) -> None:
    c.exec_driver_sql("INSERT INTO t VALUES (zeroblob(?))", (size,))


def test_what_a_full_database_undid_is_told_to_nobody_as_done(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "full.db")
    try:
        store.write(lambda c: c.exec_driver_sql("CREATE TABLE t (b BLOB)").close()).result(5)
        store.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=60").close()).result(5)
        held = Event()
        first = store.write(lambda _: held.wait(5))
        group = [store.write(lambda c, n=n: _insert(n, c)) for n in (10, 10_000_000, 20)]
        held.set()
        first.exception(5)  # it may share the group, and then its fate
        told = [future.exception(5) for future in group]
        kept = store.read(lambda c: c.exec_driver_sql("SELECT length(b) FROM t").scalars().all()).result(5)
        assert sorted(kept) == [
            n for n, error in zip((10, 10_000_000, 20), told, strict=True) if error is None
        ]
        assert isinstance(told[1], Later)
    finally:
        store.close()


def test_a_full_database_is_later_for_one_alone_and_goes_on(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "full.db")
    try:
        store.write(lambda c: c.exec_driver_sql("CREATE TABLE t (b BLOB)").close()).result(5)
        store.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=60").close()).result(5)
        with pytest.raises(Later):
            store.write(lambda c: _insert(10_000_000, c)).result(5)
        store.write(lambda c: _insert(10, c)).result(5)
    finally:
        store.close()
