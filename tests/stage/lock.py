"""A database that nobody else can commit to for a while."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.wiring import DATABASE


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the write lock of the broker's database in `data`; readers go on."""
    lock = sqlite3.connect(data / DATABASE, isolation_level=None, timeout=10)
    lock.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        lock.rollback()
        lock.close()


def run(data: Path, statement: str) -> None:
    """Run one statement in the database, beside the broker."""
    database = sqlite3.connect(data / DATABASE, timeout=10)
    try:
        database.execute(statement)
        database.commit()
    finally:
        database.close()
