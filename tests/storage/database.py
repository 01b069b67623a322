"""A database of a test's own, with all tables."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from storage import datasets
from storage.migrate import migrate
from storage.postgres.engine import PostgresStore
from storage.sqlite.engine import SqliteStore
from storage.store import Store
from tests.stage.postgres import database_of, fresh_database

ENGINES = ("sqlite", "postgres")


@cache
def _template() -> bytes:
    """Return a database with all tables, made once: steps of alembic's take long."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "template.db"
        store = SqliteStore(path)
        try:
            store.write(migrate).result(30)
        finally:
            store.close()
        return path.read_bytes()


@contextmanager
def opened(path: Path, engine: str | None = None) -> Iterator[Store]:
    """Open a database with its tables, and close it after: the file `path`, or a new one on PostgreSQL.

    Without an engine it is that of the broker whose data directory the file would be in.
    """
    brokers = database_of(path.parent) if engine is None else None
    if brokers is not None:
        with closing(PostgresStore(brokers)) as postgres:
            yield postgres
        return
    if engine == "postgres":
        with fresh_database() as url, closing(PostgresStore(url)) as postgres:
            yield postgres
        return
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_template())
    with closing(SqliteStore(path)) as store:
        yield store


def made(store: Store, name: str = "d", **body: Any) -> Dataset:
    """Declare a dataset in the workspace `w`."""
    dataset = declare("w", {"datasetId": name, **body}, 0)
    kept = store.write(lambda c: datasets.add(c, dataset, 1)).result(10)
    assert kept is not None
    return kept
