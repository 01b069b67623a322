"""What is particular about a broker whose log is Kafka: its plan from the settings, and its groups."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from infra.carrier import Carrier
from infra.lifecycle import Lifecycle, cancelled
from infra.parts import Part
from infra.settings import Settings, WrongSetting
from storage.store import Store
from streams.agents.worker import Source, Worker
from streams.kafka.connection import Connection, Security, servers_of
from streams.kafka.durability import shortcomings
from streams.kafka.feeder import Feeder
from streams.kafka.hold import GroupHold
from streams.kafka.log import KafkaLog, KafkaPlan
from streams.kafka.progress import Progress
from streams.kafka.provision import TopicPlan
from streams.kafka.sender import Manner
from streams.kafka.source import source_of
from streams.log import Log, LogError
from streams.receipts import Receipts
from streams.topics import ALERTS, EVENTS, RECEIPTS, UPLOADS, WRITES

SECOND: Final = 1e9
MILLISECOND: Final = 1_000_000
RECEIPTS_KEPT: Final = 3_600_000
"""Milliseconds: they wake who waits now."""


def kafka_plan(settings: Settings) -> KafkaPlan:
    """Return the plan of the log that the settings name.

    Raises: WrongSetting: an address or a file that can't be used.
    """
    password = settings.kafka_password
    security = Security(
        tls=settings.kafka_tls,
        ca=settings.kafka_ca,
        cert=settings.kafka_cert,
        key=settings.kafka_key,
        mechanism=None if settings.kafka_sasl == "none" else settings.kafka_sasl,
        username=settings.kafka_username or "",
        password="" if password is None else password.get_secret_value(),
    )
    try:
        connection = Connection(servers_of(settings.log), security)
    except ValueError as error:
        raise WrongSetting(f"SLUICE_LOG={settings.log} is wrong: {error}.") from error
    except OSError as error:
        raise WrongSetting(f"SLUICE_KAFKA_CA, _CERT or _KEY can't be used: {error}.") from error
    codec = None if settings.kafka_compression == "none" else settings.kafka_compression
    return KafkaPlan(
        connection,
        settings.kafka_prefix,
        (
            TopicPlan(WRITES),
            TopicPlan(EVENTS),
            TopicPlan(UPLOADS),
            TopicPlan(RECEIPTS, RECEIPTS_KEPT),
            TopicPlan(ALERTS, settings.events_keep // MILLISECOND),
        ),
        settings.partitions,
        replication=settings.kafka_replication or None,
        manner=Manner(compression=codec, patience=settings.kafka_timeout / SECOND),
        quick=frozenset({RECEIPTS}),
    )


async def kafka_findings(settings: Settings, compare: Callable[[Log], Awaitable[list[str]]]) -> list[str]:
    """Return what is less than durable about the log, and what `compare` finds between it and the database.

    Makes nothing: a log that is not there yet is made by the first start.
    """
    try:
        plan = kafka_plan(settings)
        there, found = await shortcomings(plan)
        if not there:
            return found
        log = await KafkaLog.open(plan)
    except WrongSetting as error:
        return [f"settings: {error}"]
    except LogError as error:
        return [f"log: {error}"]
    try:
        return found + await compare(log)
    finally:
        await log.close()


@dataclass(frozen=True, slots=True)
class _Groups:
    """The consumer groups of one process: a hold a role, the same for its source and for its agent."""

    log: KafkaLog
    session: float
    heartbeat: float
    holds: dict[str, GroupHold] = field(default_factory=dict)

    def hold(self, role: str, _run: int = 0) -> GroupHold:
        return self.holds.setdefault(role, GroupHold(self.session, self.heartbeat))

    def source(self, role: str, topic: str) -> Source:
        return source_of(self.log, role, topic, self.hold(role))


async def open_kafka(settings: Settings, lifecycle: Lifecycle, part: Part) -> Carrier:
    """Open the log in Kafka; `part` says whether Kafka answers, from then on.

    Raises: LogError, WrongSetting.
    """
    log = await KafkaLog.open(kafka_plan(settings))
    log.watched_by(partial(_shown, part))
    log.on_failure(lambda error: lifecycle.fail(f"the log failed: {error}"))
    lifecycle.on_stop("log", log.close)
    part.ok()
    groups = _Groups(log, settings.session / SECOND, settings.heartbeat / SECOND)
    return Carrier(log, groups.source, groups.hold, shared=True)


def _shown(part: Part, wrong: str | None) -> None:
    if wrong is None:
        part.ok()
    else:
        # what is said of Kafka names brokers, and /ready asks for no token
        part.failing("Kafka does not answer; the log says why")


def start_progress(
    lifecycle: Lifecycle,
    carrier: Carrier,
    store: Store,
    receipts: Receipts,
    raised: Callable[[set[str]], None],
) -> Callable[[set[str]], None]:
    """Start what processes tell each other: how far persist is, who has new alerts.

    `raised` is called with workspaces in which another process raised alerts; returns what tells the others
    of such.
    """
    progress = Progress(_kafka(carrier), store, receipts, raised)
    _start(lifecycle, "receipts", progress.run())
    return progress.raised


def start_feeder(lifecycle: Lifecycle, carrier: Carrier, store: Store, judge: Worker) -> Callable[[], None]:
    """Start what tells outside readers, and return what wakes it.

    Who judges the first partition feeds: of all processes just one does.
    """
    feeder = Feeder(_kafka(carrier), store, carrier.hold("judge", 0), lambda: judge.applied(0) is not None)
    _start(lifecycle, "alerts feeder", feeder.run())
    return feeder.wake


def _kafka(carrier: Carrier) -> KafkaLog:
    assert isinstance(carrier.log, KafkaLog), "only on Kafka is anybody else told"
    return carrier.log


def _start(lifecycle: Lifecycle, name: str, running: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(running, name=name)
    lifecycle.watch(name, task)
    lifecycle.on_stop(name, partial(cancelled, task))
