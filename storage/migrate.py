"""Our own tables, brought to the version this program knows, by alembic's steps."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, inspect, text
from sqlmodel import SQLModel

from storage import (
    alerts,
    datasets,
    deliveries,
    duties,
    idempotency,
    identity,
    instances,
    jobs,
    offsets,
    quarantine,
    revision,
    rules,
    subscriptions,
    tokens,
    writes,
)
from storage.restored import settle_restored
from storage.sql import is_postgres

MODULES: Final = (
    alerts,
    datasets,
    deliveries,
    duties,
    idempotency,
    identity,
    instances,
    jobs,
    offsets,
    quarantine,
    revision,
    rules,
    subscriptions,
    tokens,
    writes,
)
"""Every module that has tables: alembic compares the database with what they declare."""

METADATA: Final = SQLModel.metadata
START_LOCK: Final = 0x51_01_CE
"""The advisory lock that one start at a time holds: any number that nobody else uses."""

START_SECONDS: Final = 60
HEAD: Final = "0006"


class DatabaseError(Exception):
    """The database is not one that this program can work with; the message says what to do."""


def migrate(connection: Connection) -> None:
    """Bring the tables to the newest version. Quick where they are there already.

    On PostgreSQL one process at a time, until its transaction ends: several may start at once.
    Raises: DatabaseError where the database is of a newer program, or can't hold every text.
    """
    if is_postgres(connection):
        _prepare_postgres(connection)
    if _version(connection) != HEAD:
        _upgrade(connection)
    settle_restored(connection)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except CommandError as error:
        raise DatabaseError(
            f"The database is of another version of Sluice ({error}). Run the version that made it, or "
            f"restore a backup."
        ) from error
    known = {row[0] for row in connection.execute(text("SELECT kind FROM revision"))}
    for kind in revision.KINDS:
        if kind not in known:
            connection.execute(insert(revision.REVISION).values(kind=kind, number=1))


def _prepare_postgres(connection: Connection) -> None:
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise DatabaseError(
            f"The database keeps texts as {encoding}, which can't hold all of them. Give one that was made "
            f"with ENCODING 'UTF8'."
        )
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{START_SECONDS}s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({START_LOCK})")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
