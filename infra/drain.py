"""An embedded broker's log applied to its end: what has to be done before its database can go elsewhere.

The broker itself does it, with all its parts, at a port that nobody was told of.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from infra.carrier import EMBEDDED
from infra.checks import READS
from infra.database import DATABASE
from infra.lifecycle import Lifecycle
from infra.settings import Settings
from infra.wiring import start
from storage import identity, jobs, offsets, rules
from storage.migrate import migrate
from storage.sqlite.engine import SqliteStore
from streams.awaiting import on_loop
from streams.embedded.log import EmbeddedLog, LogPlan
from streams.log import Log
from streams.topics import TOPICS

STUCK_AFTER: Final = 60.0
"""Seconds without any step forward, after which it is given up."""

QUIET_FOR: Final = 1.0
LOOK_EVERY: Final = 0.2
_EVER: Final = 2**63 - 1


class DrainError(Exception):
    """The log can't be applied to its end; its text says what stays and what to do."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is not done yet: messages by role, batch loads, changes of rules; `steps` grows with what is."""

    behind: dict[str, int]
    loads: int
    changes: int
    steps: int

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return any(self.behind.values()) or bool(self.loads) or bool(self.changes)

    def __str__(self) -> str:
        """Say it."""
        parts = [f"{count} messages for {role}" for role, count in self.behind.items() if count]
        parts += [f"{self.loads} batch loads"] * bool(self.loads)
        parts += [f"{self.changes} changes of rules"] * bool(self.changes)
        return ", ".join(parts) or "nothing"


def alone(settings: Settings) -> Settings:
    """Return the settings of the embedded broker in the data directory, where nobody but us finds it."""
    here = {"log": EMBEDDED, "database": None, "host": "127.0.0.1", "port": 0}
    return settings.model_copy(update={**here, "tls_cert": None, "tls_key": None})


async def open_alone(settings: Settings) -> tuple[Log, SqliteStore]:
    """Open the log, which no other process can open then, and the database beside it, brought to our version.

    Raises: LogError, DatabaseError, AnotherLogError, Later.
    """
    plan = LogPlan(settings.data / "log", TOPICS, settings.partitions)
    log = await EmbeddedLog.open(plan, lambda: time.time_ns() // 1_000_000)
    store = SqliteStore(settings.data / DATABASE)
    try:
        await on_loop(store.write(lambda c: _same(c, log)))
    except BaseException:
        await asyncio.to_thread(store.close)
        await log.close()
        raise
    return log, store


def _same(c: Connection, log: Log) -> None:
    migrate(c)
    known = identity.current(c)
    if known is not None and known != log.identity:
        raise identity.AnotherLogError(log.identity, known)


def left(c: Connection, log: str, ends: dict[tuple[str, int], int]) -> Left:
    """Return what is left, where the topics end at `ends`, by role and partition."""
    at = {(place.role, place.partition): place.next for place in offsets.places(c, log)}
    behind = dict.fromkeys(READS, 0)
    for (role, partition), end in ends.items():
        behind[role] += max(0, end - at.get((role, partition), 0))
    done = sum(next_ for (role, _), next_ in at.items() if role in READS)
    waiting = jobs.waiting(c, 100)
    done += sum(job.version for job in waiting)
    return Left(behind, jobs.count_open(c), len(rules.pending(c, _EVER, 0)), done)


def ends_of(log: Log) -> dict[tuple[str, int], int]:
    """Return where each role's topic ends, by partition; a topic where nothing is kept any more at 0."""
    found = {}
    for role, topic in READS.items():
        for partition in range(log.partitions):
            begin, end = log.bounds(topic, partition)
            found[role, partition] = end if end > begin else 0
    return found


async def drain(settings: Settings, say: Callable[[str], None]) -> None:
    """Have everything applied that the log of an embedded broker holds; no broker may run on it.

    Raises: DrainError, LogError (it is open in another process), DatabaseError, AnotherLogError, Later.
    """
    while True:
        log, store = await open_alone(settings)
        try:
            name, ends = log.identity, ends_of(log)
            waits = await on_loop(store.read(lambda c: left(c, name, ends)))  # noqa: B023
        finally:
            await asyncio.to_thread(store.close)
            await log.close()
        if not waits:
            return
        say(f"The log is applied first: {waits} left.")
        await _work_off(settings, name, ends)


async def _work_off(settings: Settings, log: str, ends: dict[tuple[str, int], int]) -> None:
    """Run the broker until what was known to be left is done, and nothing more moves."""
    lifecycle = Lifecycle(settings.stop_deadline / 1e9)
    try:
        async with asyncio.timeout(STUCK_AFTER):
            await lifecycle.start("the broker", start(settings, lifecycle, sys.stderr))
    except TimeoutError as error:
        raise DrainError(
            f"The broker that is to apply the log did not start in {STUCK_AFTER:g} s. Start it as before and "
            f"look at /ready: it says what stands in the way."
        ) from error
    watching = SqliteStore(settings.data / DATABASE)
    moved = time.monotonic()
    steps = -1
    try:
        while not lifecycle.stopping:
            waits = await on_loop(watching.read(lambda c: left(c, log, ends)))
            if waits.steps != steps:
                steps, moved = waits.steps, time.monotonic()
            still = time.monotonic() - moved
            if not waits and still > QUIET_FOR:
                return
            if still > STUCK_AFTER:
                raise DrainError(
                    f"Nothing moved for {STUCK_AFTER:g} s, and there is left: {waits}. Start the broker as "
                    f"before and look at /ready: it says what stands in the way."
                )
            await asyncio.sleep(LOOK_EVERY)
        raise DrainError("The broker that applied the log had to stop; what it said stands above.")
    finally:
        await asyncio.to_thread(watching.close)
        # what did not stop is in its log, and what it left undone is found when the log is looked at again
        with suppress(ExceptionGroup):
            await lifecycle.stop()
