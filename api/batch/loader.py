"""Works at the jobs: takes them in their order, validates and ingests, and goes on where a crash left them.

Jobs of one dataset are done one after another, so what came later replaces what came earlier. A few run at
once, large ones in half of the places, so a small one never waits behind a day's work.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from api.batch.changing import Changing, said_of
from api.batch.ingest import Ingesting, Parts
from api.batch.ledger import Ledger, OvertakenError
from api.batch.upload import Uploads
from api.batch.validate import Validating
from api.decode.blocks import BrokenError
from rules.errors import DISK_LOW, Later, Problem
from rules.job import Change, Job, State
from rules.limits import MB
from rules.names import fold
from storage import jobs
from streams.awaiting import on_loop
from streams.log import LogDamaged, LogError, LogOutOfRange

logger = logging.getLogger(__name__)

PLACES: Final = 4
LARGE: Final = 64 * MB
LARGE_PLACES: Final = PLACES // 2
LOOKED_AT: Final = 1_000

LOOK_EVERY: Final = 1.0
BEAT_EVERY: Final = 5.0
TIDY_EVERY: Final = 10.0
ALIVE_FOR: Final = 30.0
FINISH: Final = 5.0
FIRST_RETRY, LONGEST_RETRY = 0.2, 5.0

SECOND: Final = 1_000_000_000
BYTES_KEPT: Final = 24 * 3600 * SECOND
"""How long the bytes of a job that failed or was cancelled stay for a retry."""

JOBS_KEPT: Final = 7 * 24 * 3600 * SECOND
PRUNES: Final = 100
"""Steps in which jobs are forgotten, each time; what is left goes the next time."""


class Loader:
    """Runs on one loop. `owner` is this process's run; with `alone` no other process works at jobs.

    Each job is one process's at a time: it takes it by compare-and-set, says each few seconds that it works
    at it yet, and lets go of it where it stops. Who was not heard of for `jobs.LEASE` has died.
    """

    def __init__(self, parts: Parts, uploads: Uploads, owner: int, *, alone: bool) -> None:
        self._parts = parts
        self._uploads = uploads
        self._owner = owner
        self._alone = alone
        self._woken = asyncio.Event()
        self._running: dict[str, tuple[Job, Ledger, asyncio.Task[None]]] = {}
        self._ended = asyncio.Event()
        self._tidied = self._beaten = 0.0

    def wake(self) -> None:
        """There is a job to be done."""
        self._woken.set()

    def cancelled(self, job_id: str) -> None:
        """A job was cancelled: stop working at it."""
        running = self._running.get(job_id)
        if running is not None:
            running[1].cancelled = True

    async def until_one_ends(self, seconds: float) -> None:
        """Return once work at some job ends in this process, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    async def run(self, alive: Callable[[float], None]) -> None:
        """Work at jobs for ever; `alive` is told until when (monotonic seconds) it will be heard of again."""
        if self._alone:
            await self._patiently(self._release)
        while True:
            alive(time.monotonic() + ALIVE_FOR)
            self._woken.clear()
            await self._patiently(self._beat)
            await self._patiently(self._begin_some)
            if time.monotonic() - self._tidied >= TIDY_EVERY:
                self._tidied = time.monotonic()
                await self._patiently(self._tidy)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._woken.wait()

    async def stop(self) -> None:
        """Leave all jobs as they are; the next start goes on with them."""
        tasks = [task for _, _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not self._alone:
            await self._patiently(self._leave)

    async def _patiently(self, step: Callable[[], "asyncio.Future[None] | object"]) -> None:
        try:
            await step()  # type: ignore[misc]
        except (Later, LogError) as error:
            logger.warning("Loads wait: %s", error, extra={"action": "load_waits"})

    async def _release(self) -> None:
        await on_loop(self._parts.store.write(jobs.release_all))

    async def _leave(self) -> None:
        await on_loop(self._parts.store.write(lambda c: jobs.release(c, self._owner)))

    async def _beat(self) -> None:
        numbers = [job.number for job, _, _ in self._running.values()]
        if self._alone or not numbers or time.monotonic() - self._beaten < BEAT_EVERY:
            return
        now = self._parts.clock()
        await on_loop(self._parts.store.write(lambda c: jobs.beat(c, self._owner, numbers, now)))
        self._beaten = time.monotonic()

    async def _begin_some(self) -> None:
        """Begin the jobs whose turn it is."""
        found = await on_loop(self._parts.store.read(lambda c: jobs.next_ones(c, LOOKED_AT)))
        taken = {name for job, _, _ in self._running.values() for name in _datasets(job)}
        for job in found:
            if job.id in self._running:
                continue
            names = _datasets(job)
            free = not names & taken and self._has_place(job)
            taken |= names  # what came later for the same dataset waits for it
            if free and await self._is_free(job):
                self._begin(job)

    def _has_place(self, job: Job) -> bool:
        large = sum(one.size > LARGE for one, _, _ in self._running.values())
        return len(self._running) < PLACES and (job.size <= LARGE or large < LARGE_PLACES)

    async def _is_free(self, job: Job) -> bool:
        now = self._parts.clock()
        return await on_loop(self._parts.store.read(lambda c: jobs.unclaimed(c, job, now)))

    def _begin(self, job: Job) -> None:
        ledger = Ledger(self._parts.store, job, self._owner, self._parts.clock)
        task = asyncio.create_task(self._work(job, ledger), name=f"load {job.id}")
        self._running[job.id] = (job, ledger, task)
        task.add_done_callback(lambda _: self._done(job.id))

    def _done(self, job_id: str) -> None:
        del self._running[job_id]
        ended, self._ended = self._ended, asyncio.Event()
        ended.set()
        self.wake()

    async def _work(self, job: Job, ledger: Ledger) -> None:
        """Bring a job to its end, trying again what can be done later."""
        wait = FIRST_RETRY
        while True:
            try:
                await self._once(ledger)
                return
            except OvertakenError:
                return
            except (Later, LogError) as error:
                if isinstance(error, LogOutOfRange | LogDamaged):
                    await self._fail(ledger, f"Its bytes are not in the log any more: {error}")
                    return
                logger.warning("The load %s waits: %s", job.id, error, extra={"action": "load_waits"})
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_RETRY)
                fresh = await self._fresh(job.id)
                if fresh is None or fresh.ended:
                    return
                ledger.job = fresh

    async def _once(self, ledger: Ledger) -> None:
        ingesting: Ingesting | None = None
        try:
            await ledger.take()
            if ledger.job.definition.change is not None:
                await self._change(ledger, ledger.job.definition.change)
                return
            if ledger.job.status is State.VALIDATING:
                parts = self._parts
                await Validating(parts.log, parts.catalogue, parts.limits, ledger, parts.busy).run()
            if ledger.job.status is State.VALIDATED:
                await ledger.become(State.INGESTING, "the records are being stored")
            ingesting = Ingesting(self._parts, ledger)
            await ingesting.run()
            await self._complete(ledger)
        except OvertakenError:
            if ingesting is not None:
                await self._finish(ingesting, ledger)
            raise
        except BrokenError as broken:
            await self._fail(ledger, str(broken))
        except Problem as problem:
            if problem.code.retriable:
                raise Later(problem.detail) from problem
            await self._fail(ledger, problem.detail)
        except (Later, LogError):
            raise
        except Exception as error:
            logger.exception("A load failed: %s", error, extra={"action": "load_failed"})
            await self._fail(
                ledger, "Something in the broker failed; its log says what. The load may be retried."
            )
        finally:
            if ingesting is not None:
                ingesting.close()

    async def _change(self, ledger: Ledger, change: Change) -> None:
        counts = await Changing(self._parts, ledger, change).run()
        ledger.reach(msgspec.structs.replace(ledger.job.progress, counts=[counts]))
        await ledger.become(State.INGESTED, said_of(change, counts))
        self._parts.meter.count("loads_total", outcome="ingested")

    async def _complete(self, ledger: Ledger) -> None:
        """End a job whose records are all stored: what was refused only on the way in is counted, too."""
        progress = ledger.job.progress
        counts = [
            msgspec.structs.replace(one, invalid=max(one.invalid, one.read - one.accepted))
            for one in progress.counts
        ]
        ledger.reach(msgspec.structs.replace(progress, counts=counts))
        ingested = ledger.job.total.ingested
        await ledger.become(State.INGESTED, f"Ingestion job successful, {ingested} records ingested")
        self._parts.meter.count("loads_total", outcome="ingested")
        self._parts.meter.count("records_accepted_total", ledger.job.total.accepted)

    async def _fail(self, ledger: Ledger, why: str) -> None:
        with suppress(OvertakenError):
            await ledger.become(State.ERROR, why, "error")
            self._parts.meter.count("loads_total", outcome="failed")

    async def _finish(self, ingesting: Ingesting, ledger: Ledger) -> None:
        """Where the job was cancelled, here or elsewhere, count what was stored of it all the same."""
        fresh = await self._fresh(ledger.job.id)
        if fresh is not None and fresh.status is State.CANCELLED:
            last = Ledger(self._parts.store, fresh, self._owner, self._parts.clock)
            with suppress(OvertakenError, Later):
                await ingesting.finish(last, FINISH)

    async def _fresh(self, job_id: str) -> Job | None:
        return await on_loop(self._parts.store.read(lambda c: jobs.find(c, job_id)))

    async def _tidy(self) -> None:
        """Let go of bytes nobody needs any more, and forget what is long past."""
        now = self._parts.clock()
        store = self._parts.store
        kept = 0 if self._disk_is_low() else BYTES_KEPT
        await on_loop(store.write(lambda c: jobs.drop_bytes(c, now - kept)))
        for _ in range(PRUNES):
            if not await on_loop(store.write(lambda c: jobs.prune(c, now - JOBS_KEPT))):
                break
        await self._uploads.trim(lambda: on_loop(store.read(jobs.held)), now)
        self._parts.meter.gauge("loads_open", await on_loop(store.read(jobs.count_open)))

    def _disk_is_low(self) -> bool:
        try:
            self._parts.pressure.check("", ())
        except Problem as problem:
            return problem.code is DISK_LOW
        return False


def _datasets(job: Job) -> set[tuple[str, str]]:
    return {(fold(job.workspace), fold(source.dataset)) for source in job.definition.sources}
