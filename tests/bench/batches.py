"""Batches of 1,000 records of JSON to queryable, against `executemany` of the same rows by a bare script."""

import asyncio
import sys
from dataclasses import replace
from statistics import median

import msgspec

from tests.bench.load import Load, Shot
from tests.bench.peers import HOUSE
from tests.bench.rig import WORKSPACE, Stored, record, rig
from tests.bench.row import Goal, Plan, Row, ratios

BATCH = 1_000
CONNECTIONS = 8
DATASET = "readings"


async def measure(plan: Plan) -> list[Row]:
    """Return the row."""
    ours: list[Stored] = []
    bare: list[float] = []
    path = f"/v1/write/{WORKSPACE}/{DATASET}"
    async with rig() as broker:
        await broker.rule(DATASET)
        shots = [
            Shot(path, msgspec.json.encode([record(k * BATCH + n) for n in range(BATCH)])) for k in range(8)
        ]
        load = Load(broker.url, shots, broker.headers, CONNECTIONS, plan.seconds)
        await broker.load(replace(load, seconds=1), DATASET)
        for _ in range(plan.rounds):
            bare.append(await _bare(plan.seconds))
            ours.append(await broker.load(load, DATASET))
    queryable = [one.answered.rate * BATCH for one in ours]
    return [
        Row(
            "batches",
            f"batch JSON, {BATCH:,} a request, {CONNECTIONS} connections, to queryable",
            "executemany of the same rows by a bare script",
            ratios(queryable, bare),
            Goal(0.25, 0.5),
            {
                "records/s": median(queryable),
                "CPU µs a record": median(one.cpu_micros for one in ours),
                "bare rows/s": median(bare),
                "p99 ms": max(one.answered.p99 for one in ours),
            },
        )
    ]


async def _bare(seconds: float) -> float:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.bare", str(seconds), str(BATCH)),
        cwd=HOUSE,
        stdout=asyncio.subprocess.PIPE,
    )
    return float((await process.communicate())[0])
