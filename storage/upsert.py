"""Rows into a dataset's table, as the fold foretold them, in the way that is quickest on each engine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection

from rules.fold import Present
from rules.schema.dataset import Dataset
from storage.sql import is_postgres
from storage.sqlite import engine as sqlite_engine
from storage.sqlite import upsert as sqlite

# psycopg is imported where it is used: a start on SQLite does without it
Rows = Mapping[bytes, Present]


def insert_rows(connection: Connection, dataset: Dataset, partition: int, rows: Rows) -> None:
    """Insert rows whose keys must be absent.

    Raises: Mismatch where one is present.
    """
    if is_postgres(connection):
        from storage.postgres import upsert as postgres

        postgres.insert_rows(connection, dataset, partition, rows)
    else:
        sqlite.insert_rows(connection, dataset, partition, rows)


def update_rows(connection: Connection, dataset: Dataset, partition: int, rows: Rows) -> None:
    """Overwrite rows whose keys must be present.

    Raises: Mismatch where one is absent.
    """
    if is_postgres(connection):
        from storage.postgres import upsert as postgres

        postgres.update_rows(connection, dataset, partition, rows)
    else:
        sqlite.update_rows(connection, dataset, partition, rows)


@contextmanager
def judged(connection: Connection) -> Iterator[None]:
    """Turn the driver's errors into Later and Never, within a body that goes on after them."""
    if is_postgres(connection):
        from storage.postgres.verdicts import verdicts as postgres_verdicts

        with postgres_verdicts():
            yield
    else:
        with sqlite_engine.verdicts():
            yield
