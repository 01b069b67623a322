"""A thousand datasets, one record each in turn, against one dataset."""

import asyncio
from dataclasses import replace
from statistics import median

from tests.bench.load import Load, Shot
from tests.bench.rig import WORKSPACE, Rig, Stored, record, rig, singles
from tests.bench.row import Goal, Plan, Row, ratios

DATASETS = 1_000
CONNECTIONS = 64
ONE = "readings"
MAKERS = 32


async def measure(plan: Plan) -> list[Row]:
    """Return the rows: as accepted, and as stored."""
    many: list[Stored] = []
    one: list[Stored] = []
    names = [f"d{number:04d}" for number in range(DATASETS)]
    async with rig() as broker:
        await broker.rule(ONE)
        took = await _make(broker, names)
        load = Load(broker.url, singles(ONE), broker.headers, CONNECTIONS, plan.seconds)
        bodies = [shot.body for shot in load.shots]
        spread = [
            Shot(f"/v1/record/{WORKSPACE}/{name}", body) for name, body in zip(names, bodies, strict=True)
        ]
        await broker.load(replace(load, seconds=1), ONE)
        for _ in range(plan.rounds):
            one.append(await broker.load(load, ONE))
            many.append(await broker.load(replace(load, shots=spread), ONE, names))
    return [
        _row("accepted", [m.answered.rate for m in many], [o.answered.rate for o in one], took),
        _row("stored", [m.rate for m in many], [o.rate for o in one], took),
    ]


async def _make(broker: Rig, names: list[str]) -> float:
    """Make the datasets, by a first record each; return how many were made a second."""
    waiting = iter(names)
    begun = asyncio.get_running_loop().time()

    async def work() -> None:
        for name in waiting:
            await broker.ask("POST", f"/v1/write/{WORKSPACE}/{name}?timeout=60", record(0))

    await asyncio.gather(*(work() for _ in range(MAKERS)))
    return len(names) / (asyncio.get_running_loop().time() - begun)


def _row(what: str, many: list[float], one: list[float], made: float) -> Row:
    figures = {
        f"many {what}/s": median(many),
        f"one {what}/s": median(one),
        "datasets made/s": made,
    }
    work = f"{DATASETS:,} datasets, one record each in turn, {what}"
    return Row("datasets", work, "one dataset", ratios(many, one), Goal(0.7, 0.95), figures)
