"""What one process at a time does for all: who does it, and until when it is that one's."""

from sqlalchemy import Connection, delete
from sqlmodel import Field, SQLModel

from storage.sql import Big, table, upsert


class DutyRow(SQLModel, table=True):
    __tablename__ = "duty"

    name: str = Field(primary_key=True)
    owner: Big
    until: Big


DUTY = table(DutyRow)


def take(connection: Connection, name: str, owner: int, now: int, until: int) -> bool:
    """Return whether a duty is this owner's now, and if so have it kept for it `until` a time (ns).

    It is where nobody has it, where it was already, and where the time of whoever had it is over.
    """
    statement = upsert(connection, DUTY).values(name=name, owner=owner, until=until)
    taken = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"owner": owner, "until": until},
            where=(DUTY.c.owner == owner) | (DUTY.c.until <= now),
        ).returning(DUTY.c.name)
    )
    return taken.first() is not None


def leave(connection: Connection, owner: int) -> None:
    """Leave every duty of an owner to the others."""
    connection.execute(delete(DUTY).where(DUTY.c.owner == owner))
