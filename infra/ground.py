"""What every process stands on, whichever parts it runs: log, store, and what both know of each other."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from logging import getLogger
from typing import Final, TextIO, TypeVar

from sqlalchemy import Connection

from api.entry.pressure import Pressure
from api.lane.admit import Admission
from api.lane.mint import Mint
from infra.carrier import Carrier, open_log
from infra.crown import Crown, enthrone, own_crown, shared_crown
from infra.database import open_store
from infra.lifecycle import Lifecycle
from infra.metrics import PrometheusMeter
from infra.parts import Part, Parts
from infra.role import Role
from infra.settings import Settings
from rules.errors import Later
from storage import identity, offsets
from storage.migrate import migrate
from storage.store import Store
from streams.awaiting import on_loop
from streams.backlog import Backlog
from streams.catalogue import Catalogue
from streams.inquiry import asking
from streams.log import Log, LogAway
from streams.publisher import Publisher
from streams.receipts import Receipts
from streams.topics import WRITES

T = TypeVar("T")

_log = getLogger(__name__)

AGAIN: Final = 1.0
SAY_EACH: Final = 30
"""Seconds between attempts to reach a server, and how many of them pass in silence."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the database told at the start."""

    epoch: int
    run: int
    seed: int


@dataclass(frozen=True, slots=True)
class Ground:
    """What the parts of one process share."""

    settings: Settings
    lifecycle: Lifecycle
    meter: PrometheusMeter
    health: Parts
    carrier: Carrier
    store: Store
    known: Known
    catalogue: Catalogue
    receipts: Receipts
    backlog: Backlog
    publisher: Publisher
    pressure: Pressure
    mint: Mint
    admission: Admission

    @property
    def log(self) -> Log:
        """The log."""
        return self.carrier.log

    async def note_backlog(self) -> None:
        """Note what stands in the log and is not stored yet: its age counts from now. Raises: Later."""
        identity = self.log.identity
        for place in await on_loop(self.store.read(lambda c: offsets.places(c, identity))):
            if place.role == "persist":
                self.receipts.passed(place.partition, place.next)
        for partition in range(self.log.partitions):
            end = self.log.bounds(WRITES, partition)[1]
            if self.receipts.committed(partition) < end:
                self.backlog.added(partition, end - 1, time.monotonic(), {})


async def lay(
    settings: Settings,
    lifecycle: Lifecycle,
    signs: tuple[PrometheusMeter, Parts],
    out: TextIO,
    role: Role,
) -> tuple[Ground, Crown]:
    """Open log and store, and meet them; `lifecycle` closes them, `signs` tell how they are.

    Servers of their own that do not answer yet are waited for: processes may start before them.

    Raises: WrongSetting, LogError, AnotherLogError, Later, DatabaseError.
    """
    meter, health = signs
    alone = settings.database is None
    crown = own_crown(settings, out) if alone else Crown(None, made=False)
    # nothing else may need the directory: both engines can be elsewhere, and the token given
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_part, store_part = health.register("log"), health.register("store")
    carrier = await _reached(lambda: open_log(settings, lifecycle, meter, log_part), log_part.failing)
    log = carrier.log
    store = _store(settings, lifecycle, store_part)
    known = await _introduced(store, log, crown, alone=alone)
    if role.receives and not alone:
        crown = await shared_crown(settings, store, out)
    catalogue = Catalogue(store)
    await catalogue.renew()
    receipts = Receipts(log.partitions, asking(store, log.identity))
    backlog = Backlog(log.partitions, settings.backlog_bytes, settings.backlog_age / 1e9)
    receipts.on_passed(lambda partition: backlog.passed(partition, receipts.committed(partition)))
    ground = Ground(
        settings=settings,
        lifecycle=lifecycle,
        meter=meter,
        health=health,
        carrier=carrier,
        store=store,
        known=known,
        catalogue=catalogue,
        receipts=receipts,
        backlog=backlog,
        publisher=Publisher(log, backlog, settings.limits().envelope_bytes, settings.linger / 1e9),
        pressure=Pressure(backlog, lambda: shutil.disk_usage(settings.data).free, settings.free_disk),
        mint=Mint(known.run, known.seed, time.time_ns),
        admission=Admission(catalogue, settings.limits(), time.time_ns),
    )
    return ground, crown


async def _reached(reach: Callable[[], Awaitable[T]], say: Callable[[str], None]) -> T:
    """Return what `reach` returns, once it is not Later and the log's servers answer."""
    for turn in count():
        try:
            return await reach()
        except (LogAway, Later) as error:
            say(str(error))
            if turn % SAY_EACH == 0:
                _log.warning("The start waits: %s", error, extra={"action": "start"})
        await asyncio.sleep(AGAIN)
    raise AssertionError("it is tried for ever")


async def _introduced(store: Store, log: Log, crown: Crown, *, alone: bool) -> Known:
    async def introduce() -> Known:
        now = time.time_ns()
        return await on_loop(store.write(lambda c: _introduce(c, log, now, crown.token)))

    # the store itself says how it is
    return await introduce() if alone else await _reached(introduce, lambda _: None)


def _store(settings: Settings, lifecycle: Lifecycle, part: Part) -> Store:
    loop = asyncio.get_running_loop()

    def failed(error: Exception) -> None:
        part.failing(str(error))
        loop.call_soon_threadsafe(lifecycle.fail, f"the database failed: {error}")

    store = open_store(settings, part, failed)
    lifecycle.on_stop("store", lambda: asyncio.to_thread(store.close))
    return store


def _introduce(c: Connection, log: Log, now: int, token: str | None) -> Known:
    """Make the tables, meet the log, and know the administrator whose token is given."""
    migrate(c)
    epoch = identity.log_epoch(c, log.identity)
    if token is not None:
        enthrone(c, token, now, replace=True)
    return Known(epoch, identity.begin_run(c, now), int.from_bytes(identity.secret(c, "writes")[:4]))
