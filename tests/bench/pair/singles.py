"""Single records on Kafka with `acks=all` at 64 connections, against Benthos and against the embedded log.

Benthos brings them to Kafka and no further, so it is measured against the half of the broker that receives.
The embedded log is measured against a whole broker, which stores and judges them too, as it does itself.
"""

from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.bench.load import Answered, Load, run_load
from tests.bench.pair.backlog import BOUNDLESS
from tests.bench.pair.benthos import benthos
from tests.bench.pair.stand import Engines, rig_of
from tests.bench.rig import PARTITIONS, Stored, rig, singles
from tests.bench.row import Goal, Plan, Row, ratios
from tests.bench.usage import cpu_seconds

CONNECTIONS: Final = 64
DATASET: Final = "readings"
TOPIC: Final = "benthos"
WORK: Final = f"single records on Kafka, acks=all, {CONNECTIONS} connections: accepted"


@dataclass(slots=True)
class _Door:
    """What takes requests in a process, and how that went in each round."""

    load: Load
    pid: int
    found: list[Answered] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    async def measure(self) -> None:
        used = cpu_seconds(self.pid)
        answered = await run_load(self.load)
        self.found.append(answered)
        self.cpu.append((cpu_seconds(self.pid) - used) / answered.requests * 1e6)

    @property
    def rates(self) -> list[float]:
        return [one.rate for one in self.found]

    @property
    def p99(self) -> float:
        return max(one.p99 for one in self.found)


async def against_benthos(plan: Plan, engines: Engines) -> list[Row]:
    """Return the row of what is received."""
    shots = singles(DATASET)
    await _topic(engines)
    async with rig_of(engines.fresh(**BOUNDLESS), "api") as door:
        load = Load(door.url, shots, door.headers, CONNECTIONS, plan.seconds)
        with benthos(engines, shots[0].path, TOPIC) as peer:
            await door.rule(DATASET)
            ours, theirs = _Door(load, door.pid), _Door(replace(load, url=peer.url), peer.pid)
            for one in (ours, theirs):
                await run_load(replace(one.load, seconds=1))
            for _ in range(plan.rounds):
                await theirs.measure()
                await ours.measure()
    row = Row(
        "benthos",
        f"{WORK} by sluice api",
        "Benthos, HTTP to Kafka",
        ratios(ours.rates, theirs.rates),
        Goal(1.0, 1.5),
        {
            "accepted/s": median(ours.rates),
            "p99 ms": ours.p99,
            "CPU µs": median(ours.cpu),
            "Benthos/s": median(theirs.rates),
            "its p99 ms": theirs.p99,
            "its CPU µs": median(theirs.cpu),
        },
    )
    return [row]


async def against_embedded(plan: Plan, engines: Engines) -> list[Row]:
    """Return the row of what is stored and judged too."""
    ours: list[Stored] = []
    embedded: list[Stored] = []
    async with rig_of(engines.fresh()) as broker, rig() as alone:
        load = Load(broker.url, singles(DATASET), broker.headers, CONNECTIONS, plan.seconds)
        both = [(broker, load, ours), (alone, replace(load, url=alone.url, headers=alone.headers), embedded)]
        for one, what, _ in both:
            await one.rule(DATASET)
            await one.load(replace(what, seconds=1), DATASET)
        for _ in range(plan.rounds):
            for one, what, found in both:
                found.append(await one.load(what, DATASET))
    accepted, others = ([one.answered.rate for one in found] for found in (ours, embedded))
    row = Row(
        "singles",
        f"{WORK} by sluice serve, stored and judged",
        "the embedded log and SQLite",
        ratios(accepted, others),
        Goal(0.6, 1.0),
        {
            "accepted/s": median(accepted),
            "stored/s": median(one.rate for one in ours),
            "p99 ms": max(one.answered.p99 for one in ours),
            "CPU µs": median(one.cpu_micros for one in ours),
            "embedded/s": median(others),
            "its p99 ms": max(one.answered.p99 for one in embedded),
            "its CPU µs": median(one.cpu_micros for one in embedded),
        },
    )
    return [row]


async def _topic(engines: Engines) -> None:
    """Make Benthos' topic as ours are made: it has as many partitions, and one node holds one copy."""
    admin = AIOKafkaAdminClient(bootstrap_servers=engines.servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
    finally:
        await admin.close()
