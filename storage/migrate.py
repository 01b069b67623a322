"""Our own tables, brought to the version this program knows, by alembic's steps."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, inspect, text
from sqlmodel import SQLModel

from storage import (
    alerts,
    datasets,
    deliveries,
    idempotency,
    identity,
    instances,
    offsets,
    quarantine,
    revision,
    rules,
    subscriptions,
    tokens,
    writes,
)

MODULES: Final = (
    alerts,
    datasets,
    deliveries,
    idempotency,
    identity,
    instances,
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
HEAD: Final = "0003"


class DatabaseError(Exception):
    """The database is not one that this program can work with; the message says what to do."""


def migrate(connection: Connection) -> None:
    """Bring the tables to the newest version. Quick where they are there already.

    Raises: DatabaseError where the database is of a newer program.
    """
    if _version(connection) == HEAD:
        return
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


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
