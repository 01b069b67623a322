"""What has to be done from time to time: caches renewed, pending rules completed, old things forgotten."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from api.entry.gate import Gate
from api.entry.inflight import Inflight
from infra.forgetting import Forgetting
from infra.parts import Part
from rules.errors import Later, Problem
from rules.signals import Meter
from storage import deliveries, offsets, revision, tokens
from storage.store import Store
from streams.announce import Announcer
from streams.awaiting import on_loop
from streams.backlog import Backlog
from streams.catalogue import Catalogue
from streams.endings import Endings
from streams.log import Log, LogError
from streams.retention import Retention
from streams.topics import EVENTS, TOPICS, WRITES

logger = logging.getLogger(__name__)

SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Chores:
    """Done in one loop; each is quick. `events_keep` is in ns."""

    store: Store
    log: Log
    catalogue: Catalogue
    gate: Gate
    announcer: Announcer
    backlog: Backlog
    inflight: Inflight
    retention: Retention
    endings: Endings
    meter: Meter
    clock: Callable[[], int]
    events_keep: int
    forgetting: Forgetting

    async def run(self, part: Part) -> None:
        """Do each chore when it is due, for ever."""
        seen: dict[str, int] = {}
        turn = 0
        while True:
            part.alive_until(time.monotonic() + 30)
            seen = await self._patiently(lambda: self._renew(seen)) or seen  # noqa: B023
            self._measure()
            if turn % 5 == 0:
                await self._patiently(lambda: self.announcer.catch_up(self.clock()))
            if turn % 10 == 0:
                await self._patiently(self._trim)
            if turn % 60 == 0:
                await self._patiently(self.forgetting.feeds)
                await self._patiently(self._count_due)
                await self._patiently(self.retention.sweep)
                await self._patiently(self.endings.catch_up)
            if turn % 3_600 == 0:
                await self._patiently(self.forgetting.instances)
            turn += 1
            await asyncio.sleep(1)

    async def _patiently(self, chore: Callable[[], Awaitable[object]]) -> dict[str, int] | None:
        try:
            done = await chore()
        except (Later, LogError, Problem) as error:
            logger.warning("A chore waits: %s", error, extra={"action": "prune"})
            return None
        return done if isinstance(done, dict) else None

    async def _renew(self, seen: dict[str, int]) -> dict[str, int]:
        """Read anew what another process may have changed."""
        now = await on_loop(self.store.read(revision.revisions))
        if now.get("datasets") != seen.get("datasets"):
            await self.catalogue.renew()
        if now.get("tokens") != seen.get("tokens"):
            self.gate.know(await on_loop(self.store.read(tokens.by_hash)))
        return now

    async def _trim(self) -> None:
        """Drop what is applied: writes below persist, events below judge and older than they are kept."""
        identity = self.log.identity
        places = await on_loop(self.store.read(lambda c: offsets.places(c, identity)))
        applied = {
            role: {p.partition: p.next for p in places if p.role == role} for role in ("persist", "judge")
        }
        await self.log.trim(WRITES, applied["persist"])
        oldest = (self.clock() - self.events_keep) // 1_000_000
        await self.log.trim(EVENTS, applied["judge"], oldest)

    async def _count_due(self) -> None:
        waiting = await on_loop(self.store.read(deliveries.waiting))
        self.meter.gauge("deliveries_due", waiting)

    def _measure(self) -> None:
        for topic in TOPICS:
            self.meter.gauge("log_bytes", self.log.size(topic), topic=topic)
        for partition in range(self.log.partitions):
            self.meter.gauge("backlog_bytes", self.backlog.size(partition), partition=str(partition))
        self.meter.gauge("inflight_bytes", self.inflight.total)
