"""Who we are to the log and to callers: the log's epoch, our secrets, and the runs of the lane."""

import secrets

from sqlalchemy import Connection, insert, select
from sqlmodel import Field, SQLModel

from storage.sql import NEVER_AGAIN, Big, Serial, table, upsert


class LogRow(SQLModel, table=True):
    """The logs this database has adopted; the highest epoch is the one in use."""

    __tablename__ = "log"

    identity: str = Field(primary_key=True)
    epoch: int


class SecretRow(SQLModel, table=True):
    __tablename__ = "secret"

    name: str = Field(primary_key=True)
    value: bytes


class RunRow(SQLModel, table=True):
    """One start of a lane: the first half of the ids of the writes it took."""

    __tablename__ = "lane_run"
    __table_args__ = NEVER_AGAIN

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    started_at: Big


LOG = table(LogRow)
SECRET = table(SecretRow)
RUN = table(RunRow)


class AnotherLogError(Exception):
    """The database belongs to another log. Its records' places would be mistaken for this one's."""

    def __init__(self, ours: str, theirs: str) -> None:
        super().__init__(
            f"The database has applied the log {theirs}, but the log given is {ours}. Give it the log it "
            f"belongs to, or adopt this one by name: sluice check --adopt {ours}"
        )


def current(connection: Connection) -> str | None:
    """Return the identity of the log in use, None where this database has met none."""
    return connection.execute(select(LOG.c.identity).order_by(LOG.c.epoch.desc()).limit(1)).scalar()


def log_epoch(connection: Connection, identity: str, *, adopt: bool = False) -> int:
    """Return the epoch of the log with this identity; the first log of a database is adopted silently.

    Raises: AnotherLogError where another is in use and `adopt` is false.
    """
    current = connection.execute(select(LOG).order_by(LOG.c.epoch.desc())).first()
    if current is not None and current.identity == identity:
        return int(current.epoch)
    if current is not None and not adopt:
        raise AnotherLogError(identity, current.identity)
    epoch = 1 if current is None else current.epoch + 1
    row = {"identity": identity, "epoch": epoch}
    statement = upsert(connection, LOG).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["identity"], set_={"epoch": epoch}))
    return epoch


def secret(connection: Connection, name: str) -> bytes:
    """Return 32 secret bytes kept under this name, made the first time."""
    row = {"name": name, "value": secrets.token_bytes(32)}
    connection.execute(upsert(connection, SECRET).values(row).on_conflict_do_nothing())
    return bytes(connection.execute(select(SECRET.c.value).where(SECRET.c.name == name)).scalar_one())


def begin_run(connection: Connection, now: int) -> int:
    """Return the number of a new lane run."""
    key = connection.execute(insert(RUN).values(started_at=now)).inserted_primary_key
    assert key is not None
    return int(key[0])
