"""The parts behind the door: the agents, the courier and the loader, started together and watched."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Final

from api.batch.ingest import Parts as LoadParts
from api.batch.loader import Loader
from api.batch.upload import Uploads
from infra.ground import Ground
from infra.lifecycle import Lifecycle, cancelled
from infra.parts import Part, Parts
from streams.agents.judge import Judge
from streams.agents.persist import Persist
from streams.agents.worker import Worker
from streams.delivery.courier import Courier
from streams.delivery.kept import SharedBook, StoreBook
from streams.delivery.webhook import Webhooks
from streams.positions import Setting
from streams.topics import EVENTS, WRITES

PLACES: Final = 256
EACH: Final = 16
"""Webhook attempts under way at once, and of one subscription while most places are free.

As many connections may go to one host: an attempt that waits for one uses up its own time.
"""

SILENCE: Final = 10.0
"""Seconds after which an agent that did not poll is unhealthy; it polls each second."""


async def start_courier(ground: Ground) -> Courier:
    """Start the courier; it delivers what is due, also what was left from before."""
    part = ground.health.register("courier")
    webhooks = Webhooks(
        version=version("sluice"),
        allow_private=ground.settings.allow_private_targets,
        connections=PLACES,
        per_host=PLACES,
    )
    await webhooks.__aenter__()
    lifecycle = ground.lifecycle
    lifecycle.on_stop("webhooks", lambda: webhooks.__aexit__(None, None, None))
    book = StoreBook(ground.store)
    if ground.carrier.shared:
        book = shared = SharedBook(ground.store, ground.known.run)
        lifecycle.on_stop("held deliveries", shared.let_go)
    courier = Courier(book, webhooks, ground.meter, most=PLACES, each=EACH)
    running = asyncio.create_task(courier.run(), name="courier")
    lifecycle.watch("courier", running)
    lifecycle.on_stop("courier", courier.stop)
    part.ok()
    return courier


async def start_working(ground: Ground, raised: Callable[[set[str]], None]) -> Worker:
    """Start persist and judge, and return judge; `raised` is told which workspaces have new alerts."""
    carrier, log, settings = ground.carrier, ground.log, ground.settings

    def setting(role: str) -> Setting:
        return Setting(
            ground.known.epoch, carrier.hold(role, ground.known.run), time.time_ns, settings.limits()
        )

    given = (log, ground.store, ground.catalogue, ground.receipts)
    judge = Judge(*given, setting("judge"), ground.meter, raised)
    persist = Persist(*given, setting("persist"), ground.meter)
    faust = settings.data / "faust"
    faust.mkdir(mode=0o700, parents=True, exist_ok=True)
    reading, judging = carrier.source("persist", WRITES), carrier.source("judge", EVENTS)
    workers = {
        "persist": Worker(
            persist, WRITES, log, reading, lambda: ground.receipts.awaited, ground.meter, faust
        ),
        "judge": Worker(judge, EVENTS, log, judging, lambda: False, ground.meter, faust),
    }
    await start_agents(ground.lifecycle, ground.health, workers)
    return workers["judge"]


def start_loader(ground: Ground, uploads: Uploads, busy: Callable[[], bool]) -> Loader:
    """Start the loader; it goes on with the jobs that were left. `busy`: requests are under way here."""
    parts = LoadParts(
        log=ground.log,
        store=ground.store,
        catalogue=ground.catalogue,
        admission=ground.admission,
        publisher=ground.publisher,
        receipts=ground.receipts,
        pressure=ground.pressure,
        limits=ground.settings.limits(),
        meter=ground.meter,
        clock=time.time_ns,
        busy=busy,
    )
    loader = Loader(parts, uploads, ground.known.run, alone=not ground.carrier.shared)
    part = ground.health.register("loads")
    running = asyncio.create_task(loader.run(part.alive_until), name="loads")
    ground.lifecycle.watch("loads", running)

    async def stop() -> None:
        await cancelled(running)
        await loader.stop()

    ground.lifecycle.on_stop("loads", stop)
    return loader


async def start_agents(lifecycle: Lifecycle, health: Parts, workers: dict[str, Worker]) -> None:
    """Start all agents together, for Faust takes a moment for each, and wait for their claims."""
    parts = {role: health.register(role) for role in workers}
    for role, worker in workers.items():
        worker.watched_by(parts[role].failing, partial(_alive, parts[role]), parts[role].ok)
        lifecycle.on_stop(role, worker.stop)
    await asyncio.gather(*(worker.start() for worker in workers.values()))
    await asyncio.gather(*(worker.claimed() for worker in workers.values()))
    for role, worker in workers.items():
        ended = lifecycle.watch(role, asyncio.create_task(worker.ended(), name=role))
        lifecycle.on_stop(f"watch over {role}", partial(cancelled, ended))
        if not worker.stopped:
            parts[role].ok()


def _alive(part: Part) -> None:
    part.alive_until(time.monotonic() + SILENCE)
