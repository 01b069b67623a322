"""A PostgreSQL server for tests, and databases in it with all tables.

`TEST_POSTGRES=start` starts one from the machine's own binaries for the test's process, and a test that needs
it fails where that can't be; `TEST_POSTGRES=postgresql://…` names one that runs, whose user may make
databases. Unset, tests that need one are skipped, with a sentence.

With `TEST_DATABASE=postgres` besides, brokers that run in the test's own process keep their store there.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine

from infra.dev.postgres import Postgres
from storage.migrate import migrate
from storage.postgres.engine import PostgresStore
from storage.postgres.session import Address, engine

WANTED = "TEST_POSTGRES"
START = "start"
EVERYWHERE = "TEST_DATABASE"
SKIPPED = f"PostgreSQL is not tested here; `make engines` does, or set {WANTED}={START}"

_numbers = count(1)
_PLACED: dict[Path, str] = {}


def need_server() -> str:
    """Return the address of a server, or skip the test where none is wanted."""
    wanted = os.environ.get(WANTED)
    if not wanted:
        pytest.skip(SKIPPED)
    return _started() if wanted == START else wanted


@cache
def _started() -> str:
    """Start a server that is fast because it may lose everything, for as long as this process lives."""
    root = Path(tempfile.mkdtemp(prefix="sluice-postgres-"))
    # its user must be able to pass
    root.chmod(0o755)
    server = Postgres(root, ("fsync=off", "full_page_writes=off", "autovacuum=off", "max_connections=200"))
    address = server.up().partition("=")[2]

    def ended() -> None:
        server.down()
        shutil.rmtree(root, ignore_errors=True)

    atexit.register(ended)
    return address


def run(address: str, *statements: str) -> None:
    """Run statements, each by itself."""
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def named(server: str, name: str) -> str:
    """Return the address of another database of the server."""
    return _url({**conninfo_to_dict(server), "dbname": name})


def _url(parts: dict[str, object]) -> str:
    user = f"{parts['user']}:{parts['password']}@" if "password" in parts else ""
    return f"postgresql://{user}{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}"


@cache
def _template() -> str:
    """Return the name of a database with all tables, made once: steps of alembic's take long."""
    server = need_server()
    name = f"sluice_test_{os.getpid()}_template"
    run(server, f"CREATE DATABASE {name}")
    store = PostgresStore(named(server, name))
    try:
        store.write(migrate).result(60)
    finally:
        store.close()
    return name


@contextmanager
def fresh_database(*, tables: bool = True) -> Iterator[str]:
    """Make a database, with all tables or with none, give its address, and drop it after."""
    server = need_server()
    name = f"sluice_test_{os.getpid()}_{next(_numbers)}"
    run(server, f"CREATE DATABASE {name}" + (f" TEMPLATE {_template()}" if tables else ""))
    try:
        yield named(server, name)
    finally:
        run(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def place(data: Path, address: str) -> None:
    """Have whoever looks into the database of the broker in `data` look there."""
    _PLACED[data.absolute()] = address


def database_of(data: Path) -> str | None:
    """Return the address of the database of the broker in `data`; None where that is SQLite's.

    It is the one that was placed there, else one that is made when it is first asked for, and goes with the
    server.
    """
    placed = _PLACED.get(data.absolute())
    if placed is not None:
        return placed
    return _made_for(data.absolute()) if os.environ.get(EVERYWHERE) == "postgres" else None


@cache
def _made_for(_data: Path) -> str:
    server = need_server()
    name = f"sluice_test_{os.getpid()}_{next(_numbers)}"
    run(server, f"CREATE DATABASE {name} TEMPLATE {_template()}")
    return named(server, name)


def connected(address: str, begin: str) -> Engine:
    """Return an engine of one connection, whose transactions start with `begin`."""
    return engine(Address(address, "a test"), begin, 1, 60_000)
