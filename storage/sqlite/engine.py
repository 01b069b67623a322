"""The store on one SQLite file: one thread and one connection write, a few threads read.

Bodies that wait when a transaction ends are run in one transaction together, each in its own savepoint,
so partitions share an fsync. Readers are read-only and never checkpoint: SQLite before 3.51.3 can lose a
WAL that two connections reset at once.
"""

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from rules.errors import RECORD_TOO_LARGE, SCHEMA_VIOLATION, WRONG_TYPE, Code, Later, Never

T = TypeVar("T")

TOGETHER: Final = 64
READERS: Final = 4
BUSY_MS: Final = 5_000

_LATER: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CANTOPEN,  # no file handle is free
        # what a full disk or little memory looks like where SQLite grows its shared index of the WAL
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMMAP,
        sqlite3.SQLITE_IOERR_NOMEM,
    }
)
_FAILED: Final = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOTADB}
)
_NEVER: Final[dict[int, Code]] = {
    sqlite3.SQLITE_TOOBIG: RECORD_TOO_LARGE,
    sqlite3.SQLITE_MISMATCH: WRONG_TYPE,
    sqlite3.SQLITE_CONSTRAINT: SCHEMA_VIOLATION,
}


class StoreFailed(Exception):
    """The database's file or disk failed; what is not committed is in doubt, the process must end."""


@dataclass(slots=True)
class _Job:
    body: Callable[[Connection], Any]
    future: "Future[Any]"


class SqliteStore:
    """`storage.store.Store` on the file `path`.

    `on_failure` is called once, from any of its threads, when the disk failed in a way that leaves the
    process no honest way to go on; from then on every write is Later.
    """

    def __init__(self, path: Path, on_failure: Callable[[Exception], None] | None = None) -> None:
        self._path = path
        self._on_failure = on_failure
        self._engine = _engine(lambda: _open_writer(path))
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._failure: StoreFailed | None = None
        self._failing = threading.Lock()
        self._local = threading.local()
        self._opened: list[Engine] = []
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._thread.start()

    def write(self, body: Callable[[Connection], T]) -> "Future[T]":
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(Later("the store is closed"))
        else:
            self._jobs.put(_Job(body, future))
        return future

    def read(self, body: Callable[[Connection], T]) -> "Future[T]":
        if self._closed:
            future: Future[T] = Future()
            future.set_exception(Later("the store is closed"))
            return future
        return self._readers.submit(self._read, body)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._thread.join()
        self._readers.shutdown()
        for engine in self._opened:
            engine.dispose()
        self._engine.dispose()

    def _read(self, body: Callable[[Connection], T]) -> T:
        engine = getattr(self._local, "engine", None)
        if engine is None:
            engine = self._local.engine = _engine(lambda: _open_reader(self._path))
            self._opened.append(engine)
        try:
            with verdicts(), engine.connect() as connection, connection.begin():
                return body(connection)
        except StoreFailed as failed:
            if _number(failed.__cause__) == sqlite3.SQLITE_READONLY:
                raise  # the body wanted to change something: its fault, not the disk's
            self._failed(failed)
            raise Later(f"the database failed: {failed}") from failed

    def _run(self) -> None:
        connection: Connection | None = None
        last = False
        while not last and (job := self._jobs.get()) is not None:
            jobs, last = self._gather(job)
            begun = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            try:
                connection = self._usable(connection)
            except Exception as error:
                self._fail(begun, error)
            else:
                self._commit(connection, begun)
        if connection is not None:
            connection.close()

    def _usable(self, connection: Connection | None) -> Connection:
        """Return the one connection that writes, opened where it is not open yet."""
        if self._failure is not None:
            # After a failed sync nobody knows what a later one means, so nothing more is committed.
            raise Later(f"the database failed: {self._failure}")
        if connection is None:
            with verdicts():
                return self._engine.connect()
        return connection

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        jobs = [first]  # a job whose caller went away is not begun; one that is begun can't be cancelled
        while len(jobs) < TOGETHER:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _commit(self, connection: Connection, jobs: list[_Job]) -> None:
        if len(jobs) == 1:
            self._alone(connection, jobs[0])
        elif jobs:
            self._together(connection, jobs)

    def _alone(self, connection: Connection, job: _Job) -> None:
        """Run one body; its own transaction undoes it, so it needs no savepoint."""
        try:
            with verdicts(), connection.begin():
                result = job.body(connection)
        except BaseException as error:
            self._fail([job], error)
        else:
            job.future.set_result(result)

    def _together(self, connection: Connection, jobs: list[_Job]) -> None:
        """Run bodies in one transaction, each undone alone where it fails."""
        done: list[tuple[Future[Any], Any]] = []
        try:
            with verdicts(), connection.begin():
                for job in jobs:
                    try:
                        with verdicts(), connection.begin_nested():
                            done.append((job.future, job.body(connection)))
                    except StoreFailed:
                        raise
                    except BaseException as error:
                        if not _in_transaction(connection):  # a full disk may undo everybody's work
                            raise _whole(error) from error
                        job.future.set_exception(error)
        except Exception as error:
            known = isinstance(error, Later | Never | StoreFailed)
            self._fail(jobs, error if known else Later(str(error)))
        else:
            for future, result in done:
                future.set_result(result)

    def _fail(self, jobs: list[_Job], error: BaseException) -> None:
        """End the jobs that have not ended, and the process where the disk failed."""
        failed = error if isinstance(error, StoreFailed) else None
        for job in jobs:
            if not job.future.done():
                job.future.set_exception(error if failed is None else Later(f"the database failed: {failed}"))
        if failed is not None:
            self._failed(failed)

    def _failed(self, failed: StoreFailed) -> None:
        with self._failing:
            first = self._failure is None
            self._failure = self._failure or failed
        if first and self._on_failure is not None:
            self._on_failure(failed)


def _in_transaction(connection: Connection) -> bool:
    raw = connection.connection.driver_connection
    return isinstance(raw, sqlite3.Connection) and raw.in_transaction


def _whole(error: BaseException) -> Exception:
    """Return what to say of a transaction that the database undid, judged by what came first."""
    first: BaseException | None = error
    while first is not None:
        if isinstance(first, StoreFailed):
            return first
        try:
            with verdicts():
                raise first
        except StoreFailed as failed:
            return failed
        except BaseException:
            first = first.__context__ if first.__context__ is not first else None
    return Later(f"the database undid a whole transaction: {error}")


def _engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _open_writer(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=2048)
    try:
        raw.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA cache_size=-65536")
        raw.execute("PRAGMA wal_autocheckpoint=4000")
    except BaseException:
        raw.close()
        raise
    return raw


def _open_reader(path: Path) -> sqlite3.Connection:
    where = f"{path.absolute().as_uri()}?mode=ro"
    raw = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False)
    raw.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    raw.execute("PRAGMA query_only=1")
    return raw


def _number(error: BaseException | None) -> int | None:
    """Return SQLite's extended error code."""
    return getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlite_errorcode", None)


@contextmanager
def verdicts() -> Iterator[None]:
    """Turn the driver's errors into Later, Never or StoreFailed; leave everything else as it is."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        number = _number(error)
        if number is None:
            raise
        primary = number & 0xFF
        if number in _LATER or primary in _LATER:
            raise Later(str(original)) from error
        if primary in _NEVER:
            raise Never(_NEVER[primary], str(original)) from error
        if primary in _FAILED:
            name = getattr(original, "sqlite_errorname", primary)
            raise StoreFailed(
                f"{original} ({name}). Look at the disk; bring the file back from a copy if it is damaged"
            ) from error
        raise
