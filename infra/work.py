"""The parts that work behind the door: the agents and the courier, started together and watched."""

import asyncio
import time
from functools import partial
from importlib.metadata import version
from typing import Final

from api.batch.ingest import Parts as LoadParts
from api.batch.loader import Loader
from api.batch.loads import Loads
from api.batch.upload import Uploads
from api.entry.quota import Quota
from infra.lifecycle import Lifecycle
from infra.metrics import PrometheusMeter
from infra.parts import Part, Parts
from infra.settings import Settings
from storage.store import Store
from streams.agents.worker import Worker
from streams.delivery.courier import Courier
from streams.delivery.kept import StoreBook
from streams.delivery.webhook import Webhooks

PLACES: Final = 256
EACH: Final = 16
"""Webhook attempts under way at once, and of one subscription while most places are free.

As many connections may go to one host: an attempt that waits for one uses up its own time.
"""

SILENCE: Final = 10.0
"""Seconds after which an agent that did not poll is unhealthy; it polls each second."""


async def start_courier(
    settings: Settings, lifecycle: Lifecycle, meter: PrometheusMeter, store: Store, part: Part
) -> Courier:
    """Start the courier; it delivers what is due, also what was left from before."""
    webhooks = Webhooks(
        version=version("sluice"),
        allow_private=settings.allow_private_targets,
        connections=PLACES,
        per_host=PLACES,
    )
    await webhooks.__aenter__()
    lifecycle.on_stop("webhooks", lambda: webhooks.__aexit__(None, None, None))
    courier = Courier(StoreBook(store), webhooks, meter, most=PLACES, each=EACH)
    running = asyncio.create_task(courier.run(), name="courier")
    lifecycle.watch("courier", running)
    lifecycle.on_stop("courier", courier.stop)
    part.ok()
    return courier


def start_loads(
    lifecycle: Lifecycle, parts: LoadParts, uploads: Uploads, owner: int, quota: Quota, part: Part
) -> Loads:
    """Start the loader; it goes on with the jobs that were left from before."""
    loader = Loader(parts, uploads, owner, alone=True)
    running = asyncio.create_task(loader.run(part.alive_until), name="loads")
    lifecycle.watch("loads", running)

    async def stop() -> None:
        await cancelled(running)
        await loader.stop()

    lifecycle.on_stop("loads", stop)
    return Loads(parts.store, uploads, loader, quota, parts.meter)


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


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
