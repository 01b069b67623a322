"""One number a kind, raised in the transaction that changes something of that kind.

Processes cache the catalogue and tokens; they look at these numbers to learn that a cache is old.
"""

from typing import Final, Literal

from sqlalchemy import Connection, select, update
from sqlmodel import Field, SQLModel

from storage.sql import Big, table

Kind = Literal["datasets", "tokens", "rules", "subscriptions"]
KINDS: Final[tuple[Kind, ...]] = ("datasets", "tokens", "rules", "subscriptions")


class RevisionRow(SQLModel, table=True):
    __tablename__ = "revision"

    kind: str = Field(primary_key=True)
    number: Big


REVISION = table(RevisionRow)


def raise_revision(connection: Connection, kind: Kind) -> None:
    """Say that something of this kind changed."""
    connection.execute(update(REVISION).where(REVISION.c.kind == kind).values(number=REVISION.c.number + 1))


def revisions(connection: Connection) -> dict[str, int]:
    """Return the number of each kind."""
    return {row.kind: row.number for row in connection.execute(select(REVISION))}
