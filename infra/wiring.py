"""Which parts run in a process, and how they hold each other: decided here and nowhere else."""

import asyncio
import logging
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from sqlalchemy import Connection

from api.app import build
from api.batch.ingest import Parts as LoadParts
from api.batch.upload import Uploads
from api.entry.gate import Gate
from api.entry.inflight import Inflight
from api.entry.pressure import Pressure
from api.entry.quota import Quota
from api.entry.turns import Turns
from api.feeds.feed import AlertFeed
from api.feeds.live import LiveEvents
from api.feeds.sse import Streams
from api.lane.admit import Admission
from api.lane.lane import Parts as LaneParts
from api.lane.mint import Mint
from api.lane.once import Once
from api.lane.outcome import Outcomes
from api.services import Services
from infra.carrier import open_log
from infra.chores import Chores
from infra.database import open_store
from infra.first_start import admin_token
from infra.forgetting import Forgetting
from infra.lifecycle import Lifecycle
from infra.metrics import PrometheusMeter
from infra.parts import Part, Parts
from infra.server import Server, listen
from infra.settings import Settings
from infra.work import cancelled, start_agents, start_courier, start_loads
from rules.ids import token_hash
from rules.limits import MB
from rules.token import Token
from storage import identity, tokens
from storage.migrate import migrate
from storage.store import Store
from streams.agents.judge import Judge
from streams.agents.persist import Persist
from streams.agents.worker import Worker
from streams.announce import Announcer
from streams.awaiting import on_loop
from streams.backlog import Backlog
from streams.catalogue import Catalogue
from streams.endings import Endings
from streams.inquiry import asking
from streams.log import Log
from streams.positions import Setting
from streams.publisher import Publisher
from streams.receipts import Receipts
from streams.retention import Retention
from streams.topics import EVENTS, WRITES

logger = logging.getLogger(__name__)

ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True)
class Running:
    """A broker that serves: where, and the administrator's token."""

    host: str
    port: int
    token: str
    token_made: bool

    @property
    def url(self) -> str:
        """Its address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database told at the start."""

    epoch: int
    run: int
    seed: int


async def start(settings: Settings, lifecycle: Lifecycle, out: TextIO = sys.stdout) -> Running:
    """Start everything in one process, in order; `lifecycle` stops it in reverse.

    Raises: WrongSetting, LogError, AnotherLogError: nothing runs then.
    """
    meter = PrometheusMeter()
    health = Parts(time.monotonic, datetime.now(UTC))
    sock = listen(settings.host, settings.port)
    lifecycle.on_stop("socket", lambda: asyncio.to_thread(sock.close))
    token, made = admin_token(settings.data, _given(settings), out)
    carrier = await open_log(settings, lifecycle, meter, health.register("log"))
    log = carrier.log
    store = _store(settings, lifecycle, health.register("store"))
    known = await on_loop(store.write(lambda c: _introduce(c, log, time.time_ns(), token)))
    catalogue = Catalogue(store)
    await catalogue.renew()
    gate = Gate(off=not settings.auth)
    gate.know(await on_loop(store.read(tokens.by_hash)))
    receipts = Receipts(log.partitions, asking(store, log.identity))
    backlog = Backlog(log.partitions, settings.backlog_bytes, settings.backlog_age / 1e9)
    receipts.on_passed(lambda partition: backlog.passed(partition, receipts.committed(partition)))
    feed = AlertFeed(store)
    courier = await start_courier(settings, lifecycle, meter, store, health.register("courier"))

    woken = [courier.wake]

    def raised(workspaces: set[str]) -> None:
        feed.wake(workspaces)
        for wake in woken:
            wake()

    def setting(role: str) -> Setting:
        return Setting(known.epoch, carrier.hold(role, known.run), time.time_ns, settings.limits())

    judge = Judge(log, store, catalogue, receipts, setting("judge"), meter, raised)
    persist = Persist(log, store, catalogue, receipts, setting("persist"), meter)
    faust = settings.data / "faust"
    # nothing else may have needed the directory: both engines can be elsewhere, and the token given
    faust.mkdir(mode=0o700, parents=True, exist_ok=True)
    reading, judging = carrier.source("persist", WRITES), carrier.source("judge", EVENTS)
    workers = {
        "persist": Worker(persist, WRITES, log, reading, lambda: receipts.awaited, meter, faust),
        "judge": Worker(judge, EVENTS, log, judging, lambda: False, meter, faust),
    }
    await start_agents(lifecycle, health, workers)
    for partition in range(log.partitions):
        end = log.bounds(WRITES, partition)[1]
        if receipts.committed(partition) < end:
            backlog.added(partition, end - 1, time.monotonic(), {})
    announcer = Announcer(log, store)
    mint = Mint(known.run, known.seed, time.time_ns)
    outcomes = Outcomes(receipts, store, mint)
    if carrier.shared:
        from infra.on_kafka import start_word  # not read where nothing needs it

        woken.append(start_word(lifecycle, carrier, store, receipts, workers["judge"]))
    publisher = Publisher(log, backlog, settings.limits().envelope_bytes, settings.linger / 1e9)
    pressure = Pressure(backlog, lambda: shutil.disk_usage(settings.data).free, settings.free_disk)
    inflight = Inflight(settings.max_inflight)
    live = LiveEvents(log, store, receipts)
    quota = Quota(settings.quota_records, settings.quota_bytes)
    admission = Admission(catalogue, settings.limits(), time.time_ns)
    loading = LoadParts(
        log=log,
        store=store,
        catalogue=catalogue,
        admission=admission,
        publisher=publisher,
        receipts=receipts,
        pressure=pressure,
        limits=settings.limits(),
        meter=meter,
        clock=time.time_ns,
        busy=lambda: inflight.total > 0 or receipts.awaited,
    )
    uploads = Uploads(log, pressure, settings.max_upload, max(settings.max_inflight // 4, MB))
    loads = start_loads(lifecycle, loading, uploads, known.run, quota, health.register("loads"))
    services = Services(
        store=store,
        catalogue=catalogue,
        gate=gate,
        pressure=pressure,
        inflight=inflight,
        publisher=publisher,
        outcomes=outcomes,
        mint=mint,
        announcer=announcer,
        loads=loads,
        alerts=feed,
        live=live,
        streams=Streams(meter),
        limits=settings.limits(),
        partitions=log.partitions,
        meter=meter,
        clock=time.time_ns,
        wake_courier=courier.wake,
        allow_private_targets=settings.allow_private_targets,
        lines_partial=settings.lines_partial,
        metrics=meter.render,
        readiness=health.report,
    )
    lane = LaneParts(
        gate=gate,
        pressure=pressure,
        quota=quota,
        inflight=inflight,
        turns=Turns(),
        admission=admission,
        once=Once(store, time.time_ns),
        publisher=publisher,
        outcomes=outcomes,
        mint=mint,
        limits=settings.limits(),
        partitions=log.partitions,
        meter=meter,
        clock=time.time_ns,
    )
    chores = Chores(
        store=store,
        log=log,
        catalogue=catalogue,
        gate=gate,
        announcer=announcer,
        backlog=backlog,
        inflight=inflight,
        retention=Retention(catalogue, publisher, mint.next, time.time_ns, log.partitions),
        endings=Endings(store, publisher, mint.next, time.time_ns, log.partitions),
        meter=meter,
        clock=time.time_ns,
        events_keep=settings.events_keep,
        forgetting=Forgetting(store, time.time_ns, settings.alerts_keep),
    )
    chore = asyncio.create_task(chores.run(health.register("chores")), name="chores")
    lifecycle.watch("chores", chore)
    lifecycle.on_stop("chores", lambda: cancelled(chore))
    server = Server(
        build(services, lane, settings.cors_origins),
        sock,
        settings.stop_deadline / 2e9,
        settings.max_connections,
        settings.tls_cert,
        settings.tls_key,
    )
    serving = asyncio.create_task(server.run(), name="server")

    async def close_door() -> None:
        pressure.closed = True
        live.close()
        feed.close()
        server.stop()
        await serving

    lifecycle.on_stop("door", close_door)
    lifecycle.watch("server", serving)
    await server.started()
    health.register("door").ok()
    return Running(settings.host, sock.getsockname()[1], token, made)


def _given(settings: Settings) -> str | None:
    return None if settings.admin_token is None else settings.admin_token.get_secret_value()


def _store(settings: Settings, lifecycle: Lifecycle, part: Part) -> Store:
    loop = asyncio.get_running_loop()

    def failed(error: Exception) -> None:
        part.failing(str(error))
        loop.call_soon_threadsafe(lifecycle.fail, f"the database failed: {error}")

    store = open_store(settings, part, failed)
    lifecycle.on_stop("store", lambda: asyncio.to_thread(store.close))
    return store


def _introduce(c: Connection, log: Log, now: int, token: str) -> _Known:
    """Make the tables, meet the log, and know the administrator."""
    migrate(c)
    epoch = identity.log_epoch(c, log.identity)
    administrator = Token(ADMINISTRATOR, frozenset({"admin"}), title="administrator")
    tokens.revoke(c, ADMINISTRATOR)
    tokens.keep(c, administrator, token_hash(token), now)
    return _Known(epoch, identity.begin_run(c, now), int.from_bytes(identity.secret(c, "writes")[:4]))
