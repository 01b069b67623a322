"""A database of a test's own, with all tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from storage import datasets
from storage.migrate import migrate
from storage.sqlite.engine import SqliteStore


@contextmanager
def opened(path: Path) -> Iterator[SqliteStore]:
    """Open the database `path` with its tables, and close it after."""
    store = SqliteStore(path)
    try:
        store.write(migrate).result(30)
        yield store
    finally:
        store.close()


def made(store: SqliteStore, name: str = "d", **body: Any) -> Dataset:
    """Declare a dataset in the workspace `w`."""
    dataset = declare("w", {"datasetId": name, **body}, 0)
    kept = store.write(lambda c: datasets.add(c, dataset, 1)).result(10)
    assert kept is not None
    return kept
