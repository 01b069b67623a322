"""Batches of 1,000 records to PostgreSQL exactly once, against a bare script that COPYs and merges them."""

import asyncio
import sys
from dataclasses import replace
from statistics import median
from typing import Final

import msgspec

from tests.bench.load import Load, Shot
from tests.bench.pair.stand import Engines, rig_of
from tests.bench.peers import HOUSE
from tests.bench.rig import PARTITIONS, WORKSPACE, Stored, record
from tests.bench.row import Goal, Plan, Row, ratios

BATCH: Final = 1_000
CONNECTIONS: Final = 8


async def measure(plan: Plan, engines: Engines) -> list[Row]:
    """Return the rows: one dataset, so one partition, and one for each of them."""
    bare: list[float] = []
    one: list[Stored] = []
    many: list[Stored] = []
    names = [f"readings{number}" for number in range(PARTITIONS)]
    database = engines.make_database("bare")
    async with rig_of(engines.fresh()) as broker:
        first = Load(broker.url, shots(names[:1]), broker.headers, CONNECTIONS, plan.seconds)
        spread = replace(first, shots=shots(names))
        await broker.rule(names[0])
        await broker.load(replace(spread, seconds=2), names[0], names)
        for _ in range(plan.rounds):
            bare.append(await _bare(database, plan.seconds))
            one.append(await broker.load(first, names[0], names))
            many.append(await broker.load(spread, names[0], names))
    work = f"batch JSON, {BATCH:,} a request, {CONNECTIONS} connections, to PostgreSQL exactly once"
    return [
        _row(f"{work}: one dataset", one, bare, Goal(0.5, 0.8)),
        _row(f"{work}: {PARTITIONS} datasets in turn", many, bare, None),
    ]


def shots(datasets: list[str]) -> list[Shot]:
    """Return requests of a batch each, to the datasets in turn; answered once they are stored."""
    bodies = [msgspec.json.encode([record(k * BATCH + n) for n in range(BATCH)]) for k in range(8)]
    return [
        Shot(f"/v1/write/{WORKSPACE}/{datasets[k % len(datasets)]}?timeout=30", bodies[k % len(bodies)])
        for k in range(max(len(datasets), len(bodies)))
    ]


def _row(work: str, ours: list[Stored], bare: list[float], goal: Goal | None) -> Row:
    queryable = [one.answered.rate * BATCH for one in ours]
    figures = {
        "records/s": median(queryable),
        "CPU µs a record": median(one.cpu_micros for one in ours),
        "p99 ms": max(one.answered.p99 for one in ours),
        "bare rows/s": median(bare),
    }
    return Row("batches", work, "COPY and merge by a bare script", ratios(queryable, bare), goal, figures)


async def _bare(address: str, seconds: float) -> float:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.pair.bare", address, str(seconds), str(BATCH)),
        cwd=HOUSE,
        stdout=asyncio.subprocess.PIPE,
    )
    return float((await process.communicate())[0])
