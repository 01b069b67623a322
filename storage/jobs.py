"""Batch loads: jobs, and why records of theirs were not taken.

A job is changed by compare-and-set on its version: who was overtaken (by a cancel, by another process that
took the job over) learns it from his next change, and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Connection, Index, delete, func, insert, select, tuple_, update
from sqlmodel import Field, SQLModel

from rules.job import ENDED, TITLE, Definition, Invalid, Job, Progress, State
from rules.names import fold
from storage.sql import NEVER_AGAIN, Big, Row, Serial, Where, table, upsert

LEASE: Final = 20 * 1_000_000_000
"""Nanoseconds after which a job whose owner was not heard of may be taken over."""


STEP: Final = 2_000
"""Rows that are forgotten in one transaction: a job may have a hundred thousand sentences."""


class JobRow(SQLModel, table=True):
    __tablename__ = "job"
    __table_args__ = NEVER_AGAIN

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str = Field(unique=True)
    workspace: str
    dataset: str
    status: str = Field(index=True)
    version: int
    owner: int | None
    beat: Big
    size: Big
    partition: int
    first: Big
    holds: bool
    created_at: Big
    started_at: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    definition: bytes
    progress: bytes


class InvalidRow(SQLModel, table=True):
    __tablename__ = "job_invalid"

    job: int = Field(primary_key=True, sa_type=BigInteger)
    source: int = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    nth: int = Field(primary_key=True)
    body: bytes


JOB = table(JobRow)
Index("job_of", JOB.c.workspace, JOB.c.number)
INVALID = table(InvalidRow)

_pack = msgspec.msgpack.Encoder().encode
_definition = msgspec.msgpack.Decoder(Definition).decode
_progress = msgspec.msgpack.Decoder(Progress).decode
_invalid = msgspec.msgpack.Decoder(Invalid).decode
_OPEN: Final = tuple(state.value for state in State if state not in ENDED)


def add(c: Connection, job: Job) -> Job:
    """Keep a new job, and return it with its number."""
    row = {
        "id": job.id,
        "workspace": fold(job.workspace),
        "dataset": job.dataset,
        "status": job.status.value,
        "version": job.version,
        "owner": None,
        "beat": 0,
        "size": job.size,
        "partition": job.definition.partition,
        "first": min((run[0] for one in job.definition.sources for run in one.runs), default=0),
        "holds": job.holds,
        "created_at": job.created_at,
        "definition": _pack(job.definition),
        "progress": _pack(job.progress),
    }
    key = c.execute(insert(JOB).values(row)).inserted_primary_key
    assert key is not None
    return replace(job, number=key[0])


def find(c: Connection, job_id: str, workspace: str | None = None) -> Job | None:
    """Return a job, of a workspace if one is given."""
    where = JOB.c.id == job_id
    if workspace is not None:
        where &= JOB.c.workspace == fold(workspace)
    row = c.execute(select(JOB).where(where)).mappings().first()
    return None if row is None else _job(row)


def listing(c: Connection, workspace: str, below: int | None, limit: int) -> list[Job]:
    """Return jobs of a workspace, newest first, whose numbers are `below` that one."""
    query = select(JOB).where(JOB.c.workspace == fold(workspace))
    if below is not None:
        query = query.where(JOB.c.number < below)
    return [_job(row) for row in c.execute(query.order_by(JOB.c.number.desc()).limit(limit)).mappings()]


def change(c: Connection, old: Job, new: Job, now: int) -> Job | None:
    """Put `new` in the place of `old` where that is still how it is; return it as kept, else None."""
    changed = c.execute(
        update(JOB)
        .where((JOB.c.number == old.number) & (JOB.c.version == old.version))
        .values(
            status=new.status.value,
            version=old.version + 1,
            owner=new.owner,
            beat=now,
            holds=new.holds,
            started_at=new.started_at,
            ended_at=new.ended_at,
            progress=_pack(new.progress),
        )
    )
    return replace(new, version=old.version + 1) if changed.rowcount == 1 else None


def waiting(c: Connection, limit: int) -> list[Job]:
    """Return jobs that have not ended, in the order in which they came."""
    query = select(JOB).where(JOB.c.status.in_(_OPEN)).order_by(JOB.c.number).limit(limit)
    return [_job(row) for row in c.execute(query).mappings()]


def next_ones(c: Connection, limit: int) -> list[Job]:
    """Return, in the order in which they came, jobs before which none that has not ended has the same title.

    Who works at jobs in their order sees them all by and by: those of one title are of the same datasets,
    unless it was cut; then all are returned.
    """
    is_open = JOB.c.status.in_(_OPEN)
    first = select(func.min(JOB.c.number)).where(is_open).group_by(JOB.c.workspace, JOB.c.dataset)
    which = JOB.c.number.in_(first) | (is_open & (func.length(JOB.c.dataset) >= TITLE))
    query = select(JOB).where(which).order_by(JOB.c.number).limit(limit)
    return [_job(row) for row in c.execute(query).mappings()]


def unclaimed(c: Connection, job: Job, now: int) -> bool:
    """Return whether nobody works at a job, or who did has not been heard of for long."""
    row = c.execute(select(JOB.c.owner, JOB.c.beat).where(JOB.c.number == job.number)).first()
    return row is not None and (row.owner is None or row.beat < now - LEASE)


def count_open(c: Connection, workspace: str | None = None) -> int:
    """Return how many jobs have not ended, of a workspace if one is given."""
    where: Where = JOB.c.status.in_(_OPEN)
    if workspace is not None:
        where &= JOB.c.workspace == fold(workspace)
    return int(c.execute(select(func.count()).where(where)).scalar_one())


def beat(c: Connection, owner: int, numbers: Sequence[int], now: int) -> None:
    """Say that their owner works at these jobs yet."""
    c.execute(update(JOB).where(JOB.c.number.in_(numbers) & (JOB.c.owner == owner)).values(beat=now))


def release_all(c: Connection) -> None:
    """Let go of every job that has not ended: for a process that is alone, at its start."""
    _release(c, JOB.c.status.in_(_OPEN))


def release(c: Connection, owner: int) -> None:
    """Let go of the jobs of an owner that have not ended: others may go on with them at once."""
    _release(c, JOB.c.status.in_(_OPEN) & (JOB.c.owner == owner))


def _release(c: Connection, which: Where) -> None:
    c.execute(update(JOB).where(which).values(owner=None, version=JOB.c.version + 1))


def keep_invalid(c: Connection, job: Job, rows: Sequence[Invalid]) -> None:
    """Keep why records were not taken; what is kept already is left as it is."""
    if rows:
        values = [
            {"job": job.number, "source": r.source, "position": r.index, "nth": r.nth, "body": _pack(r)}
            for r in rows
        ]
        c.execute(upsert(c, INVALID).on_conflict_do_nothing(), values)


def forget_invalid(c: Connection, job: Job) -> None:
    """Forget why records of a job were not taken: it is validated anew."""
    c.execute(delete(INVALID).where(INVALID.c.job == job.number))


def count_invalid(c: Connection, job: Job) -> int:
    """Return how many sentences are kept for a job."""
    return int(c.execute(select(func.count()).where(INVALID.c.job == job.number)).scalar_one())


def invalid(c: Connection, job: Job, limit: int, after: Invalid | None = None) -> list[Invalid]:
    """Return why records of a job were not taken, in their order, behind the one that is given."""
    order = (INVALID.c.source, INVALID.c.position, INVALID.c.nth)
    query = select(INVALID.c.body).where(INVALID.c.job == job.number).order_by(*order).limit(limit)
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(after.source, after.index, after.nth))
    return [_invalid(row.body) for row in c.execute(query)]


def held(c: Connection) -> dict[int, int]:
    """Return, by partition of the log, the first offset whose bytes a job needs yet."""
    query = select(JOB.c.partition, func.min(JOB.c.first)).where(JOB.c.holds).group_by(JOB.c.partition)
    return {row[0]: row[1] for row in c.execute(query)}


def drop_bytes(c: Connection, before: int) -> int:
    """Let the bytes go of jobs that ended before this time (ns) and were kept for a retry."""
    ended = JOB.c.holds & JOB.c.ended_at.is_not(None) & (JOB.c.ended_at < before)
    changed = c.execute(update(JOB).where(ended).values(holds=False, version=JOB.c.version + 1))
    return changed.rowcount


def prune(c: Connection, before: int) -> int:
    """Forget jobs that ended before this time (ns): one step of it; return how many rows went.

    A job goes with the last of the sentences about its records.
    """
    query = select(JOB.c.number).where(JOB.c.ended_at < before).order_by(JOB.c.number).limit(STEP)
    left = STEP
    for number in list(c.execute(query).scalars()):
        left -= _forget_first(c, number, left)
        if left <= 0:
            break  # it may have more of them
        left -= c.execute(delete(JOB).where(JOB.c.number == number)).rowcount
    return STEP - left


def _forget_first(c: Connection, number: int, most: int) -> int:
    place = (INVALID.c.source, INVALID.c.position, INVALID.c.nth)
    mine = INVALID.c.job == number
    stop = c.execute(select(*place).where(mine).order_by(*place).offset(most).limit(1)).first()
    first = mine if stop is None else mine & (tuple_(*place) < tuple_(*stop))
    return c.execute(delete(INVALID).where(first)).rowcount


def _job(row: Row) -> Job:
    return Job(
        id=row["id"],
        number=row["number"],
        workspace=row["workspace"],
        dataset=row["dataset"],
        status=State(row["status"]),
        version=row["version"],
        owner=row["owner"],
        size=row["size"],
        holds=row["holds"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        definition=_definition(row["definition"]),
        progress=_progress(row["progress"]),
    )
