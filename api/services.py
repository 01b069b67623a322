"""What the endpoints are made of; `infra.front` fills it in, nobody else."""

from collections.abc import Callable
from dataclasses import dataclass

from api.batch.loads import Loads
from api.entry.gate import Gate
from api.entry.inflight import Inflight
from api.entry.inquiries import Inquiries
from api.entry.pressure import Pressure
from api.entry.queries import Queries
from api.feeds.feed import AlertFeed
from api.feeds.live import LiveEvents
from api.feeds.sse import Streams
from api.lane.mint import Mint
from api.lane.outcome import Outcomes
from rules.limits import Limits
from rules.signals import Meter
from storage.store import Store
from streams.announce import Announcer
from streams.catalogue import Catalogue
from streams.publisher import Publisher


@dataclass(frozen=True, slots=True)
class Services:
    """Everything an endpoint may use. `clock` gives ns since 1970."""

    store: Store
    queries: Queries
    inquiries: Inquiries
    catalogue: Catalogue
    gate: Gate
    pressure: Pressure
    inflight: Inflight
    publisher: Publisher
    outcomes: Outcomes
    mint: Mint
    announcer: Announcer
    loads: Loads
    alerts: AlertFeed
    live: LiveEvents
    streams: Streams
    limits: Limits
    partitions: int
    meter: Meter
    clock: Callable[[], int]
    wake_courier: Callable[[], None]
    allow_private_targets: bool
    lines_partial: bool
