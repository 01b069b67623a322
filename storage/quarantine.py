"""Records that were accepted and could not be stored, until they are redriven or dropped."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import Field, SQLModel

from rules.envelope import Record
from rules.names import fold
from storage.sql import NEVER_AGAIN, Big, Row, Serial, from_text, table, to_text


class QuarantineRow(SQLModel, table=True):
    __tablename__ = "quarantine"
    __table_args__ = NEVER_AGAIN

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    workspace: str = Field(index=True)
    dataset: str
    dataset_id: int
    write_id: str = Field(index=True)
    position: int
    code: str
    message: str
    record: str
    record_id: str = Field(index=True)
    flags: int
    handling: int
    at: Big


QUARANTINE = table(QuarantineRow)


class Quarantined(NamedTuple):
    """A record set aside. `record_id` is the `_id` it has from its first origin; `id` 0 until it is kept."""

    workspace: str
    dataset: str
    dataset_id: int
    write_id: str
    position: int
    code: str
    message: str
    record: Record
    record_id: str
    flags: int
    handling: int
    at: int
    id: int = 0


class SetAside(NamedTuple):
    """Which record of a write was set aside, and why."""

    position: int
    code: str
    message: str


def keep(connection: Connection, records: list[Quarantined]) -> None:
    """Set the records aside."""
    if records:
        rows = [{**r._asdict(), "record": to_text(r.record), "workspace": fold(r.workspace)} for r in records]
        for row in rows:
            del row["id"]
        connection.execute(insert(QUARANTINE), rows)


def find(connection: Connection, workspace: str, quarantine_id: int) -> Quarantined | None:
    """Return one record, if it is still set aside."""
    where = (QUARANTINE.c.workspace == fold(workspace)) & (QUARANTINE.c.id == quarantine_id)
    row = connection.execute(select(QUARANTINE).where(where)).mappings().first()
    return None if row is None else _read(row)


def of_write(connection: Connection, write_id: str) -> list[SetAside]:
    """Return which records of a write are set aside, and why, by their index in it; 1,000 at most."""
    query = select(QUARANTINE.c.position, QUARANTINE.c.code, QUARANTINE.c.message)
    mine = query.where(QUARANTINE.c.write_id == write_id).order_by(QUARANTINE.c.position)
    return [SetAside(*row) for row in connection.execute(mine.limit(1000))]


def aside(connection: Connection, record_ids: list[str]) -> set[str]:
    """Return those of the records' ids that are set aside."""
    query = select(QUARANTINE.c.record_id).where(QUARANTINE.c.record_id.in_(record_ids))
    return set(connection.execute(query).scalars())


def drop(connection: Connection, quarantine_id: int) -> bool:
    """Forget a record; False where it was gone already."""
    return connection.execute(delete(QUARANTINE).where(QUARANTINE.c.id == quarantine_id)).rowcount == 1


def rename(connection: Connection, dataset_id: int, name: str) -> None:
    """Let what is set aside of a dataset go by its new name."""
    mine = QUARANTINE.c.dataset_id == dataset_id
    connection.execute(update(QUARANTINE).where(mine).values(dataset=name))


def _read(row: Row) -> Quarantined:
    return Quarantined(**{**row, "record": from_text(row["record"])})
