"""The offsets row: how far a role has come in a partition, and who may go on from there.

It is locked first in every transaction of persist and judge. `next` must equal the first offset of the
batch, exactly: with `next <= first` a batch fetched before a seek left a gap that the following one
stepped over, and records were lost (seen). The token is (incarnation, generation): only its holder writes.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlmodel import Field, SQLModel

from storage.sql import Big, Row, table


class OffsetsRow(SQLModel, table=True):
    __tablename__ = "offsets"

    log: str = Field(primary_key=True)
    role: str = Field(primary_key=True)
    partition: int = Field(primary_key=True)
    next: Big
    incarnation: Big
    generation: Big
    last_epoch: int
    last_offset: Big
    last_item: Big
    last_now: Big
    aside_row: int
    aside_recent: int
    seen_recent: int


OFFSETS = table(OffsetsRow)


_KEY: Final = frozenset({"log", "role", "partition"})
_HERE: Final = (
    (OFFSETS.c.log == bindparam("at_log"))
    & (OFFSETS.c.role == bindparam("at_role"))
    & (OFFSETS.c.partition == bindparam("at_partition"))
)
# made once: they are part of every transaction of both agents
_FIND: Final = select(OFFSETS).where(_HERE)
_LOCK: Final = _FIND.with_for_update()
_WRITE: Final = (
    update(OFFSETS)
    .where(_HERE)
    .values({c.name: bindparam(f"new_{c.name}") for c in OFFSETS.c if not c.primary_key})
)


class Token(NamedTuple):
    """Who holds a partition. A higher one takes it over."""

    incarnation: int
    generation: int


@dataclass(frozen=True, slots=True)
class Place:
    """A role's place in a partition of one log.

    `last` is the origin (epoch, offset, item) of the last event judged, `last_now` the highest time
    handed to a rule, in ns. The three counters decide when setting records aside must stop.
    """

    log: str
    role: str
    partition: int
    next: int
    token: Token
    last: tuple[int, int, int] = (0, -1, -1)
    last_now: int = 0
    aside_row: int = 0
    aside_recent: int = 0
    seen_recent: int = 0


class NotHere(Exception):
    """The stored place is not where the batch begins: the reader must go on at `next`."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(f"the stored offset is {next_offset}")
        self.next = next_offset


class NotOurs(Exception):
    """Another token holds the partition: `holder`, where a row was found."""

    def __init__(self, holder: Token | None = None) -> None:
        super().__init__(f"the partition is held by {holder}")
        self.holder = holder


def holder(connection: Connection, log: str, role: str, partition: int) -> Token | None:
    """Return who holds a partition, locked for this transaction; None where nobody ever did."""
    place = _find(connection, log, role, partition, lock_row=True)
    return None if place is None else place.token


def claim(connection: Connection, log: str, role: str, partition: int, token: Token, start: int) -> Place:
    """Take the partition over and return its place; a role that was never here begins at `start`.

    Raises: NotOurs where a higher token holds it.
    """
    # locked, or of two claims the lower token could be written last
    place = _find(connection, log, role, partition, lock_row=True)
    if place is None:
        place = Place(log, role, partition, start, token)
        connection.execute(insert(OFFSETS).values(_row(place)))
        return place
    if place.token > token:
        raise NotOurs(place.token)
    place = replace(place, token=token)
    advance(connection, place)
    return place


def lock(connection: Connection, place: Place, first: int) -> Place:
    """Return the stored place, locked for this transaction, if `place.token` holds it and it is at `first`.

    Raises: NotOurs, NotHere.
    """
    stored = _find(connection, place.log, place.role, place.partition, lock_row=True)
    if stored is None or stored.token != place.token:
        raise NotOurs(None if stored is None else stored.token)
    if stored.next != first:
        raise NotHere(stored.next)
    return stored


def advance(connection: Connection, place: Place) -> None:
    """Write `place` over the row that `lock` returned in this transaction."""
    row = _row(place)
    values = {f"new_{name}": row[name] for name in row.keys() - _KEY}
    connection.execute(_WRITE, {**values, **_where(place.log, place.role, place.partition)})


def places(connection: Connection, log: str) -> list[Place]:
    """Return every role's place in every partition of the log."""
    rows = connection.execute(select(OFFSETS).where(OFFSETS.c.log == log)).mappings()
    return [_place(row) for row in rows]


def _find(c: Connection, log: str, role: str, partition: int, *, lock_row: bool = False) -> Place | None:
    row = c.execute(_LOCK if lock_row else _FIND, _where(log, role, partition)).mappings().first()
    return None if row is None else _place(row)


def _where(log: str, role: str, partition: int) -> dict[str, object]:
    return {"at_log": log, "at_role": role, "at_partition": partition}


def _place(row: Row) -> Place:
    return Place(
        row["log"],
        row["role"],
        row["partition"],
        row["next"],
        Token(row["incarnation"], row["generation"]),
        (row["last_epoch"], row["last_offset"], row["last_item"]),
        row["last_now"],
        row["aside_row"],
        row["aside_recent"],
        row["seen_recent"],
    )


def _row(place: Place) -> dict[str, object]:
    epoch, offset, item = place.last
    return {
        "log": place.log,
        "role": place.role,
        "partition": place.partition,
        "next": place.next,
        "incarnation": place.token.incarnation,
        "generation": place.token.generation,
        "last_epoch": epoch,
        "last_offset": offset,
        "last_item": item,
        "last_now": place.last_now,
        "aside_row": place.aside_row,
        "aside_recent": place.aside_recent,
        "seen_recent": place.seen_recent,
    }
