"""Which parts run in a process, and how they hold each other: decided here and nowhere else."""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

from api.app import App
from api.batch.loads import Elsewhere
from api.batch.upload import Uploads
from api.entry.gate import Gate
from api.entry.inflight import Inflight
from api.feeds.feed import AlertFeed
from api.health import Vitals
from api.probes import probes, works_behind
from infra.behind import start_courier, start_loader, start_working
from infra.carrier import EMBEDDED
from infra.chores import start_chores
from infra.door import Door
from infra.front import Front, receiving
from infra.ground import Ground, lay
from infra.lifecycle import Lifecycle
from infra.metrics import PrometheusMeter
from infra.parts import Parts
from infra.role import SERVE, Role
from infra.server import listen
from infra.settings import Settings
from rules.limits import MB
from streams.announce import Announcer


@dataclass(frozen=True, slots=True)
class Running:
    """A process that serves: where, and the administrator's token, None where this process has none."""

    host: str
    port: int
    token: str | None = field(repr=False)
    token_made: bool

    @property
    def url(self) -> str:
        """Its address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


async def start(
    settings: Settings, lifecycle: Lifecycle, out: TextIO = sys.stdout, role: Role = SERVE
) -> Running:
    """Start the parts of a role in order; `lifecycle` stops them in reverse.

    Raises: WrongSetting, LogError, AnotherLogError, Later, DatabaseError: nothing runs then.
    """
    sock = listen(settings.host, settings.port)
    lifecycle.on_stop("socket", lambda: asyncio.to_thread(sock.close))
    meter = PrometheusMeter()
    health = Parts(time.monotonic, datetime.now(UTC))
    vitals = Vitals(health.report, meter.render)
    door = Door(settings, lifecycle, sock, vitals)
    opened = health.register("door")  # first: nothing is ready before it
    if settings.log != EMBEDDED:
        await door.open()  # servers elsewhere may be waited for, and whoever asks shall know
    ground, crown = await lay(settings, lifecycle, (meter, health), out, role)
    feed = AlertFeed(ground.store, shared=ground.carrier.shared)
    wake_courier = await _start_raising(ground, feed, role)
    await ground.note_backlog()
    inflight = Inflight(settings.max_inflight)
    room = max(settings.max_inflight // 4, MB)
    shared = ground.carrier.shared
    uploads = Uploads(ground.log, ground.pressure, settings.max_upload, room, shared=shared)
    busy = _busy(ground, inflight)
    bell = start_loader(ground, uploads, busy) if role.works else Elsewhere()
    gate = Gate(off=not settings.auth)
    front = Front(gate, inflight, Announcer(ground.log, ground.store), feed, uploads, bell, wake_courier)
    await start_chores(ground, front, role)
    app, let_go = receiving(ground, front, vitals) if role.receives else _working(vitals)

    def closing() -> None:
        ground.pressure.closed = True
        let_go()

    await door.let_in(app, closing)
    opened.ok()
    return Running(settings.host, sock.getsockname()[1], crown.token, crown.made)


async def _start_raising(ground: Ground, feed: AlertFeed, role: Role) -> Callable[[], None]:
    """Start what raises alerts, as far as the role works, and who hears of it; return the courier's bell."""
    hearers: list[Callable[[set[str]], None]] = [feed.wake]

    def raised(workspaces: set[str]) -> None:
        for hear in hearers:
            hear(workspaces)

    lifecycle, carrier, store = ground.lifecycle, ground.carrier, ground.store
    if carrier.shared:
        from infra.on_kafka import start_feeder, start_progress  # not read where nothing needs it

        hearers.append(start_progress(lifecycle, carrier, store, ground.receipts, feed.wake))
    if not role.works:
        return _nothing
    courier = await start_courier(ground)
    hearers.append(lambda _: courier.wake())
    judge = await start_working(ground, raised)
    if carrier.shared:
        wake_feeder = start_feeder(lifecycle, carrier, store, judge)
        hearers.append(lambda _: wake_feeder())
    return courier.wake


def _working(vitals: Vitals) -> tuple[App, Callable[[], None]]:
    return probes(vitals, works_behind), _nothing


def _busy(ground: Ground, inflight: Inflight) -> Callable[[], bool]:
    return lambda: inflight.total > 0 or ground.receipts.awaited


def _nothing() -> None:
    """Where a part is not in this process, nobody is woken and nothing is held."""
