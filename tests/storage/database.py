"""A database of a test's own, with all tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from storage import datasets
from storage.migrate import migrate
from storage.sqlite.engine import SqliteStore


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
def opened(path: Path) -> Iterator[SqliteStore]:
    """Open the database `path` with its tables, and close it after."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_template())
    store = SqliteStore(path)
    try:
        yield store
    finally:
        store.close()


def made(store: SqliteStore, name: str = "d", **body: Any) -> Dataset:
    """Declare a dataset in the workspace `w`."""
    dataset = declare("w", {"datasetId": name, **body}, 0)
    kept = store.write(lambda c: datasets.add(c, dataset, 1)).result(10)
    assert kept is not None
    return kept
