"""Analysts on PostgreSQL: each question on a connection of its own, as the role of its workspace.

`SET ROLE` on a connection of ours could be undone within one SELECT; there is nothing to undo here. The
server makes the rows' JSON, so that a row which is too large stays there.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from typing import Any, Final

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection

from rules.errors import Later, Problem
from rules.question import Bounds, Question
from storage import datasets
from storage.analysts import Answering, nothing_there, refused, too_large, too_slow
from storage.postgres.roles import Login, ensure_role, ready_role, unavailable
from storage.postgres.session import LOCK_MS, NETWORK
from storage.postgres.statement import Statement, statement
from storage.store import Store

logger = logging.getLogger(__name__)

GRACE: Final = 1.0
"""Seconds that the server may need to cancel a query before its connection is cut."""

ROW_BYTES: Final = 4 * 1024 * 1024

_OURS: Final = ("user", "password", "passfile", "sslcert", "sslkey", "sslpassword", "service", "options")
_CANCELLED: Final = "57014"
_TOO_MUCH: Final = ("53200", "53400", "54000")
_NOT_THERE: Final = ("42501", "42P01", "3F000")
_LATER_CLASSES: Final = frozenset({"08", "40", "53", "55", "57", "58"})
_AT_THE_DOOR: Final = ("pg_hba.conf", "authentication", "too many connections", "permission denied")
"""Words of the server's that keep a role out; the client library gives no code for them."""

_MOMENT: Final = 1184
"""The type of a timestamp with time zone, by its number in the catalogue."""


class PostgresAnalysts:
    """`storage.analysts.Analysts` on the database at `url`, which `store` is on."""

    def __init__(self, store: Store, url: str, bounds: Bounds) -> None:
        self._store = store
        self._address = {k: v for k, v in conninfo_to_dict(url).items() if k not in _OURS}
        self._bounds = bounds
        self._answering: Answering[psycopg.Connection[Any]] = Answering(self._answer, _cut)

    def ask(self, question: Question) -> "Future[bytes]":
        return self._answering.ask(question)

    def close(self) -> None:
        self._answering.close()

    def _answer(self, question: Question) -> bytes:
        wanted = statement(question.query, question.parameters)
        with self._connected(question.workspace) as connection:
            deadline = _Deadline(connection, self._bounds.seconds)
            try:
                with deadline:
                    return _asked(connection, wanted, self._bounds)
            except psycopg.Error as error:
                if self._answering.closed:
                    raise Later("the broker stops") from error
                if deadline.over:
                    raise too_slow(self._bounds.seconds) from error
                raise _verdict(error, self._bounds.seconds) from error

    @contextmanager
    def _connected(self, workspace: str) -> Iterator["psycopg.Connection[Any]"]:
        """Connect as the role of a workspace. Raises: Problem(sql_unavailable), Later."""

        def body(c: Connection) -> Login | None:
            if not datasets.has_any(c, workspace):
                raise nothing_there(workspace)
            return ready_role(c, workspace)

        known = self._store.read(body).result()
        connection = None if known is None else self._entered(known, again=True)
        if connection is None:
            made = self._store.write(lambda c: ensure_role(c, workspace)).result()
            connection = self._entered(made, again=False)
        assert connection is not None
        with closing(connection), self._answering.using(connection):
            yield connection

    def _entered(self, login: Login, *, again: bool) -> "psycopg.Connection[Any] | None":
        """Connect; None where we are not let in and may come `again` with a role that was put right."""
        settings = {
            "search_path": f'"{login.schema}", pg_catalog',
            "statement_timeout": str(max(1, round(self._bounds.seconds * 1000))),
            "lock_timeout": str(LOCK_MS),
            "idle_in_transaction_session_timeout": str(round(self._bounds.seconds * 1000)),
            "timezone": "UTC",
            "datestyle": "ISO",
            "standard_conforming_strings": "on",
            "extra_float_digits": "1",
            "max_parallel_workers_per_gather": "0",
            "jit": "off",
        }
        try:
            connection = psycopg.connect(
                **{**NETWORK, **self._address, "user": login.role, "password": login.password},
                application_name="sluice analysts",
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            if again:
                return None
            raise _kept_out(error) from error
        try:
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        except psycopg.Error as error:
            connection.close()
            raise Later(f"the connection was lost: {error}") from error
        return connection


class _Deadline:
    """Ends what a connection does after so many seconds, whatever the server was told of its time."""

    def __init__(self, connection: "psycopg.Connection[Any]", seconds: float) -> None:
        self._connection = connection
        self._timer = threading.Timer(seconds + GRACE, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._done = False
        self.over = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._done = True

    def _end(self) -> None:
        with self._lock:
            if self._done:
                return
            self.over = True
            with suppress(psycopg.Error):
                self._connection.cancel_safe(timeout=GRACE)
            _cut(self._connection)


def _cut(connection: "psycopg.Connection[Any]") -> None:
    """Cut a connection that another thread waits on: it is told that the server went away."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


def _asked(connection: "psycopg.Connection[Any]", wanted: Statement, bounds: Bounds) -> bytes:
    """Return the answer as JSON, cut where it is more than asked for. Raises: Problem, psycopg.Error."""
    cursor = psycopg.RawCursor(connection)
    # prepared, a text can't hold a second statement
    described = f"SELECT * FROM (\n{wanted.text}\n) AS asked LIMIT 0"  # noqa: S608 - it is the caller's SQL
    columns = cursor.execute(described.encode(), wanted.values, prepare=True).description
    if not columns:
        raise refused("it selects no column")
    rows: list[bytes] = []
    left, truncated = bounds.bytes, False
    for (row,) in cursor.stream(_written(wanted.text, columns, bounds).encode(), wanted.values):
        if row is None or (not rows and len(row) > left):
            raise too_large("One row is larger than an answer may be.")
        rows.append(b"[" + row.encode() + b"]")
        left -= len(rows[-1])
        if left < 0 or len(rows) > bounds.rows:
            truncated = True
            rows.pop()
            break
    head = msgspec.json.encode([column.name for column in columns])
    cut = b"true" if truncated else b"false"
    return b'{"columns":' + head + b',"rows":[' + b",".join(rows) + b'],"truncated":' + cut + b"}"


def _written(query: str, columns: Sequence[psycopg.Column], bounds: Bounds) -> str:
    """Return the statement whose rows are JSON, null where one is too large."""
    names = [f"c{number}" for number in range(len(columns))]
    cells = [
        f"replace(to_json({name})::text, '+00:00\"', 'Z\"')"
        if column.type_code == _MOMENT
        else f"to_json({name})::text"
        for name, column in zip(names, columns, strict=True)
    ]
    # OFFSET 0 keeps a row from being written twice: once to be measured, once to be sent
    return (
        f"SELECT CASE WHEN octet_length(line) <= {min(ROW_BYTES, bounds.bytes)} THEN line END FROM ("  # noqa: S608
        f"SELECT array_to_string(ARRAY[{', '.join(cells)}], ',', 'null') AS line FROM (\n{query}\n) "
        f"AS asked({', '.join(names)}) OFFSET 0) AS written LIMIT {bounds.rows + 1}"
    )


def _kept_out(error: psycopg.OperationalError) -> Problem | Later:
    """Return what it means that a role is not let in."""
    said = str(error).strip().partition("\n")[0]
    if error.sqlstate is None and not any(word in said for word in _AT_THE_DOOR):
        return Later(f"no connection to the database: {said}")
    logger.warning("The database does not let analysts in: %s", said, extra={"action": "query_failed"})
    return unavailable(
        "the database does not let such a role in, as the log says: see that it may connect with a password "
        "from where the broker runs (pg_hba.conf), and that connections are left for it"
    )


def _verdict(error: psycopg.Error, seconds: float) -> Problem | Later:
    state = error.sqlstate
    said = (error.diag.message_primary or str(error)).partition("\n")[0]
    if state == _CANCELLED:
        return too_slow(seconds)
    if state in _TOO_MUCH:
        return too_large(f"The query needs too much: {said}.")
    if state in _NOT_THERE:  # which of these it is would tell what others have
        return refused("it names something that is not there, or that is no dataset of the workspace")
    if state is None and isinstance(error, psycopg.OperationalError):
        return Later(said)
    if state is not None and state[:2] in _LATER_CLASSES:
        return Later(said)
    return refused(said)
