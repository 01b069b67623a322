"""The parts in front: what takes requests, the lane for writes and every other endpoint."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from api.app import App, build
from api.batch.loads import Bell, Loads
from api.batch.upload import Uploads
from api.entry.gate import Gate
from api.entry.inflight import Inflight
from api.entry.inquiries import Inquiries
from api.entry.queries import Queries
from api.entry.quota import Quota
from api.entry.turns import Turns
from api.feeds.feed import AlertFeed
from api.feeds.live import LiveEvents
from api.feeds.sse import Streams
from api.health import Vitals
from api.lane.lane import Parts as LaneParts
from api.lane.once import Once
from api.lane.outcome import Outcomes
from api.services import Services
from infra.database import open_analysts
from infra.ground import Ground
from streams.announce import Announcer


@dataclass(frozen=True, slots=True)
class Front:
    """What requests need besides the ground. `wake_courier` is called where deliveries may be due."""

    gate: Gate
    inflight: Inflight
    announcer: Announcer
    feed: AlertFeed
    uploads: Uploads
    bell: Bell
    wake_courier: Callable[[], None]


def receiving(ground: Ground, front: Front, vitals: Vitals) -> tuple[App, Callable[[], None]]:
    """Return the application, and what lets go of those who only wait."""
    settings, log, store, limits = ground.settings, ground.log, ground.store, ground.settings.limits()
    analysts = open_analysts(settings, store)
    ground.lifecycle.on_stop("analysts", lambda: asyncio.to_thread(analysts.close))
    outcomes = Outcomes(ground.receipts, store, ground.mint)
    quota = Quota(settings.quota_records, settings.quota_bytes)
    loads = Loads(store, front.uploads, front.bell, quota, ground.meter)
    live = LiveEvents(log, store, ground.receipts)
    services = Services(
        store=store,
        queries=Queries(store),
        inquiries=Inquiries(analysts),
        catalogue=ground.catalogue,
        gate=front.gate,
        pressure=ground.pressure,
        inflight=front.inflight,
        publisher=ground.publisher,
        outcomes=outcomes,
        mint=ground.mint,
        announcer=front.announcer,
        loads=loads,
        alerts=front.feed,
        live=live,
        streams=Streams(ground.meter),
        limits=limits,
        partitions=log.partitions,
        meter=ground.meter,
        clock=time.time_ns,
        wake_courier=front.wake_courier,
        allow_private_targets=settings.allow_private_targets,
        lines_partial=settings.lines_partial,
    )
    lane = LaneParts(
        gate=front.gate,
        pressure=ground.pressure,
        quota=quota,
        inflight=front.inflight,
        turns=Turns(),
        admission=ground.admission,
        once=Once(store, time.time_ns),
        publisher=ground.publisher,
        outcomes=outcomes,
        mint=ground.mint,
        limits=limits,
        partitions=log.partitions,
        meter=ground.meter,
        clock=time.time_ns,
    )

    def let_go() -> None:
        loads.close()
        live.close()
        front.feed.close()

    return build(services, lane, vitals, settings.cors_origins), let_go
