"""What the doors of batch loads ask for: a job made of what was uploaded, waited for, cancelled, retried."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec
from sqlalchemy import Connection

from api.batch.upload import Uploads
from api.entry.quota import Quota
from api.lane.once import KEPT, Keyed
from rules.errors import IDEMPOTENCY_CONFLICT, JOB_NOT_FOUND, JOB_STATE, OVERLOADED, Problem
from rules.job import Counts, Definition, Job, Mark, Progress, State, said
from rules.signals import Meter
from storage import idempotency, jobs
from storage.idempotency import Claim
from storage.store import Store
from streams.awaiting import on_loop

ASK_EVERY: Final = 0.25
OPEN: Final = 1_000
"""Jobs that may wait or be worked at; half of them of one workspace."""

TRIES: Final = 20


class Bell(Protocol):
    """How doors and the loader hear of each other; the store is what counts."""

    def wake(self) -> None:
        """There is a job to be done."""

    def cancelled(self, job_id: str) -> None:
        """A job was cancelled: work at it may stop."""

    async def until_one_ends(self, seconds: float) -> None:
        """Return once work at some job ends, as far as that is heard of, or the time is over."""


class Elsewhere:
    """The bell where loads are worked at by other processes, which look into the store each second."""

    def wake(self) -> None:
        """Nobody is here to be woken."""

    def cancelled(self, job_id: str) -> None:
        """Who works at it finds it changed."""

    async def until_one_ends(self, seconds: float) -> None:
        """Let the time pass."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A load that is to be made: for a workspace, under a title for people."""

    workspace: str
    definition: Definition
    title: str


class Loads:
    """The jobs of batch loads, as doors see them."""

    def __init__(self, store: Store, uploads: Uploads, bell: Bell, quota: Quota, meter: Meter) -> None:
        self.uploads = uploads
        self.bell = bell
        self.quota = quota
        self._store = store
        self._meter = meter
        self._closed = False

    def close(self) -> None:
        """Let nobody wait for a job any longer."""
        self._closed = True

    async def room(self, workspace: str) -> None:
        """Let another load of a workspace pass, before its bytes are read.

        Raises: Problem(overloaded).
        """

        def count(c: Connection) -> tuple[int, int]:
            return jobs.count_open(c), jobs.count_open(c, workspace)

        every, own = await on_loop(self._store.read(count))
        if every >= OPEN:
            raise Problem(OVERLOADED, f"{every} loads wait or are worked at, as many as may.", retry_after=5)
        if own >= OPEN // 2:
            raise Problem(
                OVERLOADED,
                f"{own} loads of the workspace wait or are worked at, half of what may in all.",
                retry_after=5,
            )

    async def make(self, wanted: Wanted, key: Keyed | None, now: int) -> Job:
        """Keep a job and have it worked at; the one that is there already for this Idempotency-Key.

        Raises: Problem(idempotency_conflict).
        """
        job = new_job(wanted, now)

        def body(c: Connection) -> Job | None:
            if key is not None:
                claim = Claim(key.scope, key.key, job.id, key.hash, {}, now)
                won = idempotency.claim(c, claim, now - KEPT)
                if won.hash != key.hash:
                    raise Problem(
                        IDEMPOTENCY_CONFLICT,
                        f"The Idempotency-Key {key.key[:60]!r} was used for another load.",
                    )
                if won.write_id != job.id:
                    return jobs.find(c, won.write_id)
            return jobs.add(c, job)

        made = await on_loop(self._store.write(body))
        if made is None:
            raise _unknown("with this Idempotency-Key")
        self.bell.wake()
        return made

    async def find(self, job_id: str, workspace: str | None = None) -> Job:
        """Return a job. Raises: Problem(job_not_found)."""
        job = await on_loop(self._store.read(lambda c: jobs.find(c, job_id, workspace)))
        if job is None:
            raise _unknown(repr(job_id[:64]))
        return job

    async def wait(self, job: Job, seconds: float) -> Job:
        """Return the job once it has ended, or as it is once the time is over or the broker stops."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            found = await self.find(job.id)
            left = deadline - loop.time()
            if found.ended or left <= 0 or self._closed:
                return found
            await self.bell.until_one_ends(min(ASK_EVERY, left))

    async def cancel(self, job: Job, now: int) -> Job:
        """Cancel a job; what is stored of it stays.

        Raises: Problem(job_state) where it has ended.
        """

        def cancelled(old: Job) -> Job:
            if old.ended:
                raise Problem(JOB_STATE, f"The job is {old.status.value}; there is nothing to cancel.")
            if old.definition.change is not None and old.status is State.INGESTING:
                raise Problem(JOB_STATE, "The change is in the log and will be done.")
            progress = said(old.progress, now, "warning", "the job was cancelled")
            progress = msgspec.structs.replace(progress, message="The job was cancelled.")
            return replace(old, status=State.CANCELLED, owner=None, ended_at=now, progress=progress)

        changed = await self._change(job, cancelled, now)
        self.bell.cancelled(job.id)
        self._meter.count("loads_total", outcome="cancelled")
        return changed

    async def retry(self, job: Job, now: int) -> Job:
        """Have a job that failed or was cancelled done anew; what is stored of it is not stored again.

        Raises: Problem(job_state) where it did not fail, or its bytes are gone.
        """

        def again(old: Job) -> Job:
            if old.status not in (State.ERROR, State.CANCELLED):
                raise Problem(
                    JOB_STATE, f"The job is {old.status.value}; only failed and cancelled ones are retried."
                )
            if old.definition.change is not None:
                raise Problem(JOB_STATE, "A change of a dataset is not retried; send it again.")
            if not old.holds:
                raise Problem(JOB_STATE, "The job's bytes are kept for a day and gone now; load them again.")
            progress = said(old.progress, now, "info", "the job is tried again")
            progress = msgspec.structs.replace(progress, message="", last_good=State.VALIDATING.value)
            return replace(
                old,
                status=State.VALIDATING,
                owner=None,
                started_at=None,
                ended_at=None,
                progress=progress,
            )

        changed = await self._change(job, again, now)
        self.bell.wake()
        return changed

    async def _change(self, job: Job, turn: Callable[[Job], Job], now: int) -> Job:
        def body(c: Connection) -> Job | None:
            old = jobs.find(c, job.id)
            return None if old is None else jobs.change(c, old, turn(old), now)

        for _ in range(TRIES):
            changed = await on_loop(self._store.write(body))
            if changed is not None:
                return changed
        raise _unknown(repr(job.id))


def new_job(wanted: Wanted, now: int) -> Job:
    """Return a job that nobody has worked at; `now` is in ns."""
    sources = wanted.definition.sources
    job_id = uuid.uuid4().hex
    progress = Progress([Counts()] * len(sources), [[] for _ in sources], Mark())
    progress = said(progress, now, "info", f"jobId: {job_id} has been created")
    return Job(
        id=job_id,
        number=0,
        workspace=wanted.workspace,
        dataset=wanted.title,
        status=State.VALIDATING,
        version=1,
        owner=None,
        size=sum(source.size for source in sources),
        holds=wanted.definition.change is None,
        created_at=now,
        started_at=None,
        ended_at=None,
        definition=wanted.definition,
        progress=progress,
    )


def _unknown(which: str) -> Problem:
    return Problem(JOB_NOT_FOUND, f"There is no job {which}; jobs are kept for 7 days after their end.")
