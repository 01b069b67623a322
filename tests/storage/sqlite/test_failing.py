"""A database whose file or disk fails: everybody is told, nobody waits on, nothing more is committed."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection

from rules.errors import Later
from storage.sqlite.engine import SqliteStore, StoreFailed, verdicts


def _nothing(_: Connection) -> None:
    """Change nothing."""


def test_a_file_that_is_no_database_is_said_and_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_bytes(b"this is no database, whatever its name says" * 100)
    told: list[Exception] = []
    store = SqliteStore(tmp_path / "no.db", told.append)
    try:
        futures = [store.write(_nothing) for _ in range(3)]
        assert {type(future.exception(5)) for future in futures} == {Later}
        (failure,) = told
        assert isinstance(failure, StoreFailed)
        assert "not a database" in str(failure)
    finally:
        store.close()


def test_a_database_that_can_not_be_opened_yet_is_opened_later(tmp_path: Path) -> None:
    (tmp_path / "late.db").mkdir()
    store = SqliteStore(tmp_path / "late.db")
    try:
        assert isinstance(store.write(_nothing).exception(5), Later)
        (tmp_path / "late.db").rmdir()
        store.write(_nothing).result(5)
    finally:
        store.close()


def _fail(_: Connection) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"
    raise error


def test_nothing_is_committed_after_a_sync_that_failed(tmp_path: Path) -> None:
    told: list[Exception] = []
    store = SqliteStore(tmp_path / "failing.db", told.append)
    try:
        store.write(lambda c: c.exec_driver_sql("CREATE TABLE t (n)").close()).result(5)
        for body in (_fail, _fail, lambda c: c.exec_driver_sql("INSERT INTO t VALUES (1)").close()):
            assert isinstance(store.write(body).exception(5), Later)
        assert [type(one) for one in told] == [StoreFailed]
        assert store.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM t").scalar()).result(5) == 0
    finally:
        store.close()


def test_a_read_that_fails_ends_the_process_too_and_is_told_once(tmp_path: Path) -> None:
    told: list[Exception] = []
    store = SqliteStore(tmp_path / "failing.db", told.append)
    try:
        store.write(_nothing).result(5)
        reads = [store.read(_fail) for _ in range(8)]
        assert {type(read.exception(5)) for read in reads} == {Later}
        assert isinstance(store.write(_nothing).exception(5), Later)
        assert [type(one) for one in told] == [StoreFailed]
    finally:
        store.close()


def test_a_reader_that_wants_to_write_is_at_fault_and_not_the_disk(tmp_path: Path) -> None:
    told: list[Exception] = []
    store = SqliteStore(tmp_path / "read.db", told.append)
    try:
        store.write(lambda c: c.exec_driver_sql("CREATE TABLE t (n)").close()).result(5)
        writing = store.read(lambda c: c.exec_driver_sql("INSERT INTO t VALUES (1)").close())
        assert isinstance(writing.exception(5), StoreFailed)
        store.write(_nothing).result(5)
        assert told == []
    finally:
        store.close()


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("SQLITE_IOERR_FSYNC", StoreFailed),
        ("SQLITE_IOERR_WRITE", StoreFailed),
        ("SQLITE_CORRUPT", StoreFailed),
        ("SQLITE_READONLY", StoreFailed),
        ("SQLITE_FULL", Later),
        ("SQLITE_BUSY_SNAPSHOT", Later),
        ("SQLITE_IOERR_SHMSIZE", Later),
        ("SQLITE_IOERR_NOMEM", Later),
        ("SQLITE_CANTOPEN", Later),
    ],
)
def test_a_full_disk_is_later_and_a_broken_one_the_end(name: str, verdict: type[Exception]) -> None:
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorcode, error.sqlite_errorname = getattr(sqlite3, name), name
    with pytest.raises(verdict), verdicts():
        raise error
