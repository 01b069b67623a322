"""What a job has come to, kept: each change by compare-and-set, so that who was overtaken stops."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import msgspec
from sqlalchemy import Connection

from rules.job import ENDED, Counts, Invalid, Job, Mark, Progress, State, may_follow, said
from storage import jobs
from storage.store import Store
from streams.awaiting import on_loop

EVERY: Final = 1.0
"""Seconds between two notes of how far a job has come."""

KEPT: Final = 100_000
"""Sentences about records of one job that are kept; further ones are counted."""

WAITING: Final = 2_000
"""Sentences that wait to be kept."""


class OvertakenError(Exception):
    """Somebody else changed the job: it was cancelled, or another process has it."""


class Ledger:
    """One job while it is worked at. `owner` is this process's run; `clock` gives ns since 1970."""

    def __init__(self, store: Store, job: Job, owner: int, clock: Callable[[], int]) -> None:
        self._store = store
        self._owner = owner
        self._clock = clock
        self._noted = 0.0
        self._kept = 0
        self._waiting: list[Invalid] = []
        self.job = job
        self.cancelled = False

    @property
    def due(self) -> bool:
        """Whether it is time to note how far the job has come."""
        return len(self._waiting) >= WAITING or time.monotonic() - self._noted >= EVERY

    @property
    def room(self) -> bool:
        """Whether another sentence about a record is kept."""
        return self._kept + len(self._waiting) < KEPT

    def refuse(self, invalid: Sequence[Invalid]) -> None:
        """Have it kept, with the next note, why records were not taken."""
        self._waiting += invalid[: KEPT - self._kept - len(self._waiting)]

    def watch(self) -> None:
        """Go on only where nobody cancelled the job. Raises: OvertakenError."""
        if self.cancelled:
            raise OvertakenError

    async def take(self) -> None:
        """Make the job this process's own. Raises: OvertakenError, Later."""
        started = self.job.started_at or self._clock()
        self._kept = await on_loop(self._store.read(lambda c: jobs.count_invalid(c, self.job)))
        await self._change(replace(self.job, owner=self._owner, started_at=started))

    async def begin_again(self) -> None:
        """Forget what an earlier validation found. Raises: OvertakenError, Later."""
        sources = len(self.job.definition.sources)
        progress = msgspec.structs.replace(
            self.job.progress,
            counts=[Counts()] * sources,
            types=[[] for _ in range(sources)],
            mark=Mark(),
            done=0,
            datasets=[],
        )
        self._waiting, self._kept = [], 0

        def forget(c: Connection) -> None:
            jobs.forget_invalid(c, self.job)

        await self._change(replace(self.job, progress=progress), forget)

    def reach(self, progress: Progress) -> None:
        """Have it kept, with the next change, how far the job has come."""
        self.job = replace(self.job, progress=progress)

    async def note(self, progress: Progress) -> None:
        """Keep how far it has come. Raises: OvertakenError, Later."""
        await self._change(replace(self.job, progress=progress))

    async def become(self, state: State, message: str, severity: str = "info") -> None:
        """Bring the job into a state that may follow. Raises: OvertakenError, Later."""
        job = self.job
        assert may_follow(state, job.status), (state, job.status)
        good = job.progress.last_good if state is State.ERROR else state.value
        progress = said(job.progress, self._clock(), severity, message)
        progress = msgspec.structs.replace(progress, last_good=good, message=message)
        ended = self._clock() if state in ENDED else None
        holds = job.holds and state is not State.INGESTED
        await self._change(replace(job, status=state, progress=progress, ended_at=ended, holds=holds))

    async def _change(self, new: Job, also: Callable[[Connection], None] | None = None) -> None:
        self.watch()
        old, kept, now = self.job, self._waiting, self._clock()

        def body(c: Connection) -> Job | None:
            changed = jobs.change(c, old, new, now)
            if changed is not None:
                if also is not None:
                    also(c)
                jobs.keep_invalid(c, old, kept)
            return changed

        changed = await on_loop(self._store.write(body))
        if changed is None:
            raise OvertakenError
        self._noted, self._kept, self._waiting = time.monotonic(), self._kept + len(kept), []
        self.job = changed
