"""A look into a broker's database from outside, and declarations made there, beside the broker that runs."""

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.pool import StaticPool

from infra.database import DATABASE
from rules.ids import token_hash
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from rules.token import Scope, Token
from storage import datasets, tokens
from storage.postgres.session import READ, WRITE
from storage.rows import reader
from storage.tables import AT, ID, KEY, physical, stored_columns, table_of
from tests.stage.postgres import connected, database_of

T = TypeVar("T")

BUSY_SECONDS = 10.0


def read(data: Path, body: Callable[[Connection], T]) -> T:
    """Run `body` on what the broker in `data` has committed."""
    with _engine(data, "ro") as engine, engine.connect() as connection, connection.begin():
        return body(connection)


def write(data: Path, body: Callable[[Connection], T]) -> T:
    """Run `body` in a transaction beside the broker's own."""
    with _engine(data, "rw") as engine, engine.connect() as c, c.begin():
        return body(c)


def stored(data: Path, workspace: str, dataset: str) -> list[dict[str, Any]]:
    """Return the records of a dataset as they read back, in the order of their keys; none without it."""

    def body(c: Connection) -> list[dict[str, Any]]:
        found = datasets.find(c, workspace, dataset)
        return [] if found is None else _records(c, found)

    return read(data, body)


def catalogued(data: Path, workspace: str, dataset: str) -> Dataset | None:
    """Return a dataset's catalogue entry."""
    return read(data, lambda c: datasets.find(c, workspace, dataset))


def declared(data: Path, workspace: str, **body: Any) -> Dataset:
    """Declare a dataset as `POST /v1/datasets` takes it."""
    made = write(data, lambda c: datasets.add(c, declare(workspace, body, 0), time.time_ns()))
    assert made is not None, "the name is taken"
    return made


def given_token(
    data: Path, scopes: set[Scope], workspace: str, dataset: str | None = None, expires: float | None = None
) -> str:
    """Keep a new token and return its secret; the broker knows it within a second or two."""
    secret = "sk_" + secrets.token_urlsafe(32)
    token = Token(f"t-{secrets.token_hex(6)}", frozenset(scopes), workspace, dataset, expires=expires)
    write(data, lambda c: tokens.keep(c, token, token_hash(secret), time.time_ns()))
    return secret


def _records(c: Connection, dataset: Dataset) -> list[dict[str, Any]]:
    table, columns = table_of(dataset), stored_columns(dataset)
    show = reader(dataset, columns, nulls=True)
    query = select(table.c[ID], table.c[AT], *(table.c[physical(column)] for column in columns))
    return [show(row) for row in c.execute(query.order_by(table.c[KEY]))]


@contextmanager
def _engine(data: Path, mode: str) -> Iterator[Engine]:
    postgres = database_of(data)
    if postgres is None:
        made = _sqlite(f"file:{data / DATABASE}?mode={mode}", "BEGIN" if mode == "ro" else "BEGIN IMMEDIATE")
    else:
        made = connected(postgres, READ if mode == "ro" else WRITE)
    try:
        yield made
    finally:
        made.dispose()


def _sqlite(uri: str, begin: str) -> Engine:
    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        # what is in the WAL is the broker's to move
        raw.execute("PRAGMA wal_autocheckpoint=0")
        return raw

    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
