"""What has to be done from time to time: caches renewed, pending rules completed, old things forgotten.

Each has its own period; those of a process are done one after the other, in one loop, but for the renewal of
caches, which is promised within a second and waits for nothing.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from api.entry.gate import Gate
from infra.forgetting import Forgetting
from infra.front import Front
from infra.ground import Ground
from infra.lifecycle import cancelled
from infra.parts import Part
from infra.role import Role
from rules.errors import Later, Problem
from rules.signals import Meter
from storage import deliveries, duties, offsets, revision, tokens
from storage.store import Store
from streams.awaiting import on_loop
from streams.catalogue import Catalogue
from streams.endings import Endings
from streams.log import Log, LogError
from streams.retention import Retention
from streams.topics import EVENTS, TOPICS, WRITES

logger = logging.getLogger(__name__)

RENEW_EVERY: Final = 0.4
"""Seconds between looks for what other processes changed; it must be known within one."""
ALIVE_FOR: Final = 30.0
CHORES: Final = "chores"
MINDED_FOR: Final = 60 * 1_000_000_000
"""Nanoseconds after which another process does what the one did that has died."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Something quick that is done each so many seconds, from the start on."""

    every: int
    do: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Duty:
    """The chores that one process does for all: `owner` is the run of this one.

    Each chore is harmless twice; so a process that was stopped and wakes, and does one yet, does no harm.
    """

    store: Store
    owner: int

    async def mind(self, do: Callable[[], Awaitable[object]]) -> None:
        """Do a chore if the duty is this process's. Raises: what the chore raises; Later."""
        now = time.time_ns()
        if await on_loop(
            self.store.write(lambda c: duties.take(c, CHORES, self.owner, now, now + MINDED_FOR))
        ):
            await do()

    async def leave(self) -> None:
        """Leave the duty to others. Raises: Later."""
        await on_loop(self.store.write(lambda c: duties.leave(c, self.owner)))


@dataclass(slots=True)
class Renewal:
    """Keeps what is cached in step with the store, by its revision numbers."""

    store: Store
    catalogue: Catalogue
    gate: Gate
    datasets: int | None = None
    tokens: int | None = None

    async def once(self) -> None:
        """Read anew what has changed. Raises: Later."""
        now = await on_loop(self.store.read(revision.revisions))
        if now.get("datasets") != self.datasets:
            await self.catalogue.renew()
            self.datasets = now.get("datasets")
        if now.get("tokens") != self.tokens:
            self.gate.know(*await on_loop(self.store.read(tokens.known)))
            self.tokens = now.get("tokens")

    async def run(self) -> None:
        """Keep it so, for ever."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            await _patiently(self.once)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The log's ends, and what is counted. `events_keep` is in ns, as is what `clock` gives."""

    store: Store
    log: Log
    meter: Meter
    clock: Callable[[], int]
    events_keep: int

    async def trim(self) -> None:
        """Drop what is applied: writes below persist, events below judge and older than they are kept."""
        identity = self.log.identity
        places = await on_loop(self.store.read(lambda c: offsets.places(c, identity)))
        applied = {
            role: {p.partition: p.next for p in places if p.role == role} for role in ("persist", "judge")
        }
        await self.log.trim(WRITES, applied["persist"])
        oldest = (self.clock() - self.events_keep) // 1_000_000
        await self.log.trim(EVENTS, applied["judge"], oldest)

    async def count_due(self) -> None:
        """Count the deliveries that wait."""
        self.meter.gauge("deliveries_due", await on_loop(self.store.read(deliveries.waiting)))


async def start_chores(ground: Ground, front: Front, role: Role) -> None:
    """Begin with the chores of a role; what is cached is in step with the store then. Raises: Later."""
    renewal = Renewal(ground.store, ground.catalogue, front.gate)
    await renewal.once()
    chores = [Chore(5, lambda: front.announcer.catch_up(time.time_ns()))] if role.receives else []
    duty = Duty(ground.store, ground.known.run) if ground.carrier.shared else None
    if role.works:
        chores += _behind(ground, duty)
    if duty is not None:
        ground.lifecycle.on_stop("duties", duty.leave)
    part = ground.health.register("chores")
    measure = partial(_measure, ground, front)
    for name, running in (("renewal", renewal.run()), ("chores", _run(chores, measure, part))):
        task = asyncio.create_task(running, name=name)
        ground.lifecycle.watch(name, task)
        ground.lifecycle.on_stop(name, partial(cancelled, task))


def _behind(ground: Ground, duty: "Duty | None") -> list[Chore]:
    """Return what is done by whoever stores; where that are several, by one of them."""
    store, log, clock, settings = ground.store, ground.log, time.time_ns, ground.settings
    upkeep = Upkeep(store, log, ground.meter, clock, settings.events_keep)
    forgetting = Forgetting(store, clock, settings.alerts_keep)
    mint = ground.mint.next
    retention = Retention(ground.catalogue, ground.publisher, mint, clock, log.partitions)
    endings = Endings(store, ground.publisher, mint, clock, log.partitions)
    for_all = [
        Chore(10, upkeep.trim),
        Chore(60, forgetting.feeds),
        Chore(60, retention.sweep),
        Chore(60, endings.catch_up),
        Chore(3_600, forgetting.instances),
    ]
    if duty is not None:
        for_all = [Chore(chore.every, partial(duty.mind, chore.do)) for chore in for_all]
    return [*for_all, Chore(60, upkeep.count_due)]


async def _run(chores: list[Chore], measure: Callable[[], None], part: Part) -> None:
    """Do each chore when it is due, for ever."""
    turn = 0
    while True:
        part.alive_until(time.monotonic() + ALIVE_FOR)
        measure()
        for chore in chores:
            if turn % chore.every == 0:
                await _patiently(chore.do)
        turn += 1
        await asyncio.sleep(1)


async def _patiently(do: Callable[[], Awaitable[object]]) -> None:
    try:
        await do()
    except (Later, LogError, Problem) as error:
        logger.warning("A chore waits: %s", error, extra={"action": "prune"})


def _measure(ground: Ground, front: Front) -> None:
    meter, log = ground.meter, ground.log
    for topic in TOPICS:
        meter.gauge("log_bytes", log.size(topic), topic=topic)
    for partition in range(log.partitions):
        meter.gauge("backlog_bytes", ground.backlog.size(partition), partition=str(partition))
    meter.gauge("inflight_bytes", front.inflight.total)
