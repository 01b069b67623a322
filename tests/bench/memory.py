"""Resident memory under sustained overload, against what it was at the end of the first half."""

import asyncio

import msgspec

from tests.bench.load import Load, Shot, run_load
from tests.bench.rig import WORKSPACE, record, rig
from tests.bench.row import Goal, Row
from tests.bench.usage import resident_bytes

BATCH = 100
CONNECTIONS = 64
DATASET = "readings"
MB = 1024 * 1024


async def measure(seconds: float) -> list[Row]:
    """Return the row: batches that nobody waits for, for `seconds`, memory looked at each second."""
    seen: list[float] = []
    async with rig() as broker:
        await broker.rule(DATASET)
        idle = resident_bytes(broker.pid)
        bodies = [[record(k * BATCH + n) for n in range(BATCH)] for k in range(8)]
        shots = [Shot(f"/v1/record/{WORKSPACE}/{DATASET}", msgspec.json.encode(body)) for body in bodies]
        load = Load(broker.url, shots, broker.headers, CONNECTIONS, seconds)
        loading = asyncio.create_task(run_load(load, refusals=True))
        while not loading.done():
            seen.append(resident_bytes(broker.pid))
            await asyncio.wait((loading,), timeout=1.0)
        answered = await loading
    half = len(seen) // 2
    figures = {
        "idle MB": idle / MB,
        "first half, most MB": max(seen[:half]) / MB,
        "second half, most MB": max(seen[half:]) / MB,
        "requests/s": answered.rate,
        "refused": float(answered.failed),
        "seconds": seconds,
    }
    work = f"memory under sustained overload, {CONNECTIONS} connections, second half"
    ratio = (max(seen[half:]) / max(seen[:half]),)
    return [Row("memory", work, "first half", ratio, Goal(1.1, 1.02, larger=False), figures)]
