"""What became of each write, kept 7 days.

Unkeyed writes share one packed row an envelope, found by the range of their counters; a keyed, deleting
or quarantined write has a row of its own a part. A row of its own is also what drops a repeat.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import BigInteger, Connection, Index, delete, insert, select, tuple_
from sqlmodel import Field, SQLModel

from rules.ids import read_write_id
from storage.sql import Big, Serial, table

COUNTER_SHIFT: Final = 20
"""A counter is milliseconds since 1970, shifted by this, plus a number within the millisecond."""

STEP: Final = 5_000
"""Rows of each kind that one step of forgetting takes."""

ROWS: Final = 10_000
"""Packed rows that one look for many writes opens at most."""

SPREAD: Final = 120_000 << COUNTER_SHIFT
"""No envelope holds writes whose counters are further apart than two minutes."""


class PackedRow(SQLModel, table=True):
    __tablename__ = "write_packed"

    id: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    run: Big
    lo: Big
    hi: Big
    partition: int
    offset: Big
    body: bytes
    stored_at: Big
    epoch: int = Field(sa_column_kwargs={"server_default": "1"})


class OwnRow(SQLModel, table=True):
    __tablename__ = "write_own"

    write_id: str = Field(primary_key=True)
    part: int = Field(primary_key=True)
    partition: int
    offset: Big
    body: bytes
    stored_at: int = Field(sa_type=BigInteger, index=True)
    epoch: int = Field(sa_column_kwargs={"server_default": "1"})


PACKED = table(PackedRow)
Index("write_packed_range", PACKED.c.run, PACKED.c.hi)
Index("write_packed_age", PACKED.c.stored_at)
OWN = table(OwnRow)


_KEEP_PACKED: Final = insert(PACKED)


class Outcome(msgspec.Struct, array_like=True, frozen=True):
    """What became of one part of one write. `item` and `accepted` give the origins of its records."""

    id: str
    part: int
    parts: int
    workspace: str
    dataset: str
    at: int
    flags: int
    item: int
    accepted: int
    rejected: int
    inserted: int = 0
    replaced: int = 0
    ignored: int = 0
    deleted: int = 0
    quarantined: int = 0


class Standing(NamedTuple):
    """Where an envelope stands: the log by its epoch, the partition, the offset."""

    partition: int
    offset: int
    epoch: int


class Found(NamedTuple):
    """An outcome with where its envelope stands and when (ns) it was stored."""

    outcome: Outcome
    partition: int
    offset: int
    stored_at: int
    epoch: int


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Outcome]).decode


def keep_packed(
    c: Connection,
    run: int,
    counters: Sequence[int],
    outcomes: Sequence[Outcome],
    place: Standing,
    now: int,
) -> None:
    """Keep the outcomes of one envelope's unkeyed writes."""
    row = {"run": run, "lo": min(counters), "hi": max(counters), **place._asdict()}
    c.execute(_KEEP_PACKED, {**row, "body": _pack(outcomes), "stored_at": now})


def keep_own(c: Connection, outcome: Outcome, place: Standing, now: int) -> None:
    """Keep the outcome of one part in a row of its own."""
    row = {"write_id": outcome.id, "part": outcome.part, **place._asdict()}
    c.execute(insert(OWN).values(**row, body=_pack([outcome]), stored_at=now))


def repeated(c: Connection, parts: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return those of the (writeId, part) given that were applied already."""
    if not parts:
        return set()
    query = select(OWN.c.write_id, OWN.c.part).where(OWN.c.write_id.in_({write for write, _ in parts}))
    return {(row.write_id, row.part) for row in c.execute(query)} & set(parts)


def outcomes(c: Connection, write_id: str, run: int, counter: int) -> list[Found]:
    """Return what is known of a write's parts, by part."""
    found: dict[int, Found] = {}
    own = c.execute(select(OWN).where(OWN.c.write_id == write_id)).mappings()
    packed = c.execute(
        select(PACKED)
        .where((PACKED.c.run == run) & (PACKED.c.hi >= counter) & (PACKED.c.hi <= counter + SPREAD))
        .where(PACKED.c.lo <= counter)
    ).mappings()
    for row in [*own, *packed]:
        for outcome in _unpack(row["body"]):
            if outcome.id == write_id:
                found[outcome.part] = Found(outcome, *(row[name] for name in Found._fields[1:]))
    return [found[part] for part in sorted(found)]


def among(c: Connection, write_ids: Sequence[str]) -> list[Outcome]:
    """Return the outcomes of the parts of these writes that are stored: one look for all of them."""
    wanted = set(write_ids)
    own = c.execute(select(OWN.c.body).where(OWN.c.write_id.in_(wanted))).scalars()
    found = [outcome for body in own for outcome in _unpack(body)]
    counters: dict[int, list[int]] = {}
    for run, counter in filter(None, map(read_write_id, wanted)):
        counters.setdefault(run, []).append(counter)
    rows = [number for run, mine in counters.items() for number in _holding(c, run, sorted(mine))]
    packed = c.execute(select(PACKED.c.body).where(PACKED.c.id.in_(rows))).scalars()
    found += [outcome for body in packed for outcome in _unpack(body) if outcome.id in wanted]
    return found


def _holding(c: Connection, run: int, counters: list[int]) -> list[int]:
    """Return the packed rows of a run whose range holds one of these counters (sorted) or more."""
    first, last = counters[0], counters[-1]
    ranges = c.execute(
        select(PACKED.c.id, PACKED.c.lo, PACKED.c.hi)
        .where((PACKED.c.run == run) & (PACKED.c.hi >= first) & (PACKED.c.hi <= last + SPREAD))
        .where(PACKED.c.lo <= last)
    )
    return [row.id for row in ranges if bisect_left(counters, row.lo) < bisect_right(counters, row.hi)][:ROWS]


def prune(c: Connection, before: int) -> int:
    """Forget what was stored before this time (ns): one step of it; return how many rows went."""
    packed = select(PACKED.c.id).where(PACKED.c.stored_at < before).limit(STEP)
    own = select(OWN.c.write_id, OWN.c.part).where(OWN.c.stored_at < before).limit(STEP)
    gone = c.execute(delete(PACKED).where(PACKED.c.id.in_(packed))).rowcount
    return gone + c.execute(delete(OWN).where(tuple_(OWN.c.write_id, OWN.c.part).in_(own))).rowcount


def totals(found: Sequence[Found]) -> dict[str, Any]:
    """Return the sums over a write's parts."""
    names = ("accepted", "inserted", "replaced", "ignored", "deleted", "quarantined")
    return {name: sum(getattr(f.outcome, name) for f in found) for name in names}
