"""The store on PostgreSQL: a few threads write, a few read, each on a connection of its own.

Every body has its own transaction, and the server lets those that commit together share an fsync. Where
others are in the way (a lock that is held too long, a deadlock, a row that another process inserted first)
the transaction is undone by the server and the body runs again; what lasts longer is Later.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from rules.errors import Later, Unreachable
from storage.postgres.session import READ, WRITE, Address, engine
from storage.postgres.verdicts import Contended, Stale, lasting, verdicts

T = TypeVar("T")

TRIES: Final = 5
PAUSE: Final = 0.05


SHAPE: Final = (
    "write postgresql://user:password@host:port/name, with what is not a letter or a digit in the name or "
    "the password as % and two hex digits"
)


class BadAddress(Exception):
    """The address is not one of a PostgreSQL database; the message says how one is written."""


class PostgresStore:
    """`storage.store.Store` on the database at `url`, with at most `writers` + `readers` connections.

    `idle_ms` bounds how long a transaction may do nothing. `told` is called, from any thread, with a sentence
    once the database can't be reached, and with None once it can be again.
    Raises: BadAddress.
    """

    def __init__(
        self,
        url: str,
        *,
        writers: int = 8,
        readers: int = 4,
        idle_ms: int = 6_000,
        told: Callable[[str | None], None] | None = None,
    ) -> None:
        try:
            conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise BadAddress(SHAPE) from None  # what is said of it repeats pieces of it, a password too
        self._writing = engine(Address(url, "sluice writes"), WRITE, writers, idle_ms)
        self._reading = engine(Address(url, "sluice reads"), READ, readers, idle_ms)
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-reader")
        self._told = told
        self._trouble = False
        self._lock = threading.Lock()
        self._closed = False

    def write(self, body: Callable[[Connection], T]) -> "Future[T]":
        return self._submit(self._writers, self._writing, body)

    def read(self, body: Callable[[Connection], T]) -> "Future[T]":
        return self._submit(self._readers, self._reading, body)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        for threads in (self._writers, self._readers):
            threads.shutdown()
        for connections in (self._writing, self._reading):
            connections.dispose()

    def _submit(
        self, threads: ThreadPoolExecutor, connections: Engine, body: Callable[[Connection], T]
    ) -> "Future[T]":
        with self._lock:
            if not self._closed:
                return threads.submit(self._patiently, connections, body)
        future: Future[T] = Future()
        future.set_exception(Later("the store is closed"))
        return future

    def _patiently(self, connections: Engine, body: Callable[[Connection], T]) -> T:
        retrying = Retrying(
            retry=retry_if_exception_type(Contended),
            stop=stop_after_attempt(TRIES),
            wait=wait_random(0, PAUSE),
            reraise=True,
        )
        try:
            result: T = retrying(self._once, connections, body)
        except Contended as contended:
            fault = lasting(contended.__cause__)
            if fault is not None:
                raise fault from None
            raise
        self._reached(None)
        return result

    def _once(self, connections: Engine, body: Callable[[Connection], T]) -> T:
        with verdicts():
            connection = self._connected(connections)
        with connection:
            try:
                with verdicts():
                    transaction = _begun(connection)
                    with transaction:
                        return body(connection)
            except Stale:
                connection.invalidate()
                raise
            except Later as later:
                if _lost(connection):
                    self._reached(str(later))
                raise

    def _connected(self, connections: Engine) -> Connection:
        try:
            return connections.connect()
        except DBAPIError as error:
            said = str(error.orig).strip().splitlines()
            self._reached(said[0] if said else "no connection")
            # whatever keeps us out (an address, a password, a server that starts) is for its operator to mend
            raise Unreachable(f"no connection to the database: {error.orig}") from error

    def _reached(self, trouble: str | None) -> None:
        if self._trouble is (trouble is not None):
            return
        with self._lock:
            changed = self._trouble is not (trouble is not None)
            self._trouble = trouble is not None
            if changed and self._told is not None:
                self._told(trouble)  # in here, or of two threads the earlier one may be heard last


def _begun(connection: Connection) -> RootTransaction:
    """Begin a transaction. Where the connection was lost since it was used last, nothing is lost with it."""
    try:
        return connection.begin()
    except DBAPIError as error:
        raise Stale(f"the connection was lost: {error.orig}") from error


def _lost(connection: Connection) -> bool:
    """Return whether the connection is of no use any more, and see that nobody is given it again."""
    if connection.invalidated:
        return True
    raw = connection.connection.driver_connection
    if isinstance(raw, psycopg.Connection) and (raw.closed or raw.broken):
        connection.invalidate()
        return True
    return False
