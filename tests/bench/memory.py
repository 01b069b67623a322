"""Resident memory under sustained overload, against what it was at the end of the first half."""

import asyncio
from pathlib import Path

from tests.bench.load import Load, run_load
from tests.bench.rig import rig, singles
from tests.bench.row import Goal, Row

CONNECTIONS = 256
DATASET = "readings"
MB = 1024 * 1024


async def measure(seconds: float) -> list[Row]:
    """Return the row: as many single records as go in for `seconds`, memory looked at each second."""
    seen: list[float] = []
    async with rig() as broker:
        await broker.rule(DATASET)
        idle = resident(broker.pid)
        load = Load(broker.url, singles(DATASET), broker.headers, CONNECTIONS, seconds)
        loading = asyncio.create_task(run_load(load))
        while not loading.done():
            seen.append(resident(broker.pid))
            await asyncio.wait((loading,), timeout=1.0)
        answered = await loading
    half = len(seen) // 2
    figures = {
        "idle MB": idle / MB,
        "first half, most MB": max(seen[:half]) / MB,
        "second half, most MB": max(seen[half:]) / MB,
        "accepted/s": answered.rate,
        "seconds": seconds,
    }
    work = f"memory under sustained overload, {CONNECTIONS} connections, second half"
    ratio = (max(seen[half:]) / max(seen[:half]),)
    return [Row("memory", work, "first half", ratio, Goal(1.1, 1.02, larger=False), figures)]


def resident(pid: int) -> float:
    """Return the bytes of memory that a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/status does not tell the resident memory.")
