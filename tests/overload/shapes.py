"""The shapes of too much: many small writes, many batches, bodies that hardly come."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.overload.flood import Flooded
from tests.overload.light import Served
from tests.overload.stand import FLOODED, LIGHT, Stand, dataset_in, standing
from tests.overload.truth import Truth, compare
from tests.overload.watch import MOST, Memory

TIMES: Final = 20
"""How much more is offered than it can take."""
CALLERS: Final = 2
TAKES: Final = 3.0
"""Seconds in which is measured what it can take."""
HOME: Final = 2
RECOVERY: Final = 10.0
"""Seconds within which it must be itself again."""
PRESSED: Final = 0.9
"""Share of what is due that must be sent, or of the time in which no connection may have room for it."""
SERVED: Final = 0.99
USUALLY: Final = 2.0
AT_MOST: Final = 10.0
"""Seconds within which half of a light client's writes are stored, and 99 of 100 of them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A flood: `batch` records a request over so many connections of each caller."""

    name: str
    batch: int
    connections: int


SINGLE: Final = Shape("single records", 1, 200)
BATCHES: Final = Shape("batches of 1,000", 1_000, 100)


@dataclass(slots=True)
class Result:
    """What a flood came to; `broken` are the laws it broke, in words."""

    shape: str
    capacity: float = 0.0
    flooded: Flooded = field(default_factory=Flooded)
    seconds: float = 0.0
    batch: int = 1
    beside: Served = field(default_factory=Served)
    within: Served = field(default_factory=Served)
    memory: Memory = field(default_factory=Memory)
    recovery: float = 0.0
    behind: float = 0.0
    truth: Truth | None = None
    broken: list[str] = field(default_factory=list)


async def flood(shape: Shape, seconds: float, **settings: str) -> Result:
    """Overload a broker and look at everything that is promised of it."""
    result = Result(shape.name, seconds=seconds, batch=shape.batch)
    async with standing(**settings) as stand:
        dataset, beside = dataset_in(FLOODED, HOME), dataset_in(LIGHT, HOME + 1)
        within = dataset_in(LIGHT, HOME)
        path = f"/v1/record/{FLOODED}/{dataset}"
        before, result.capacity = await _capacity(stand, shape, path)
        watching = asyncio.create_task(result.memory.watch(stand.broker.pid))
        rate = TIMES * result.capacity / CALLERS
        told, result.beside, result.within = await asyncio.gather(
            _floods(stand, shape, path, rate, seconds),
            stand.light(beside, seconds),
            stand.light(within, seconds, rate=1.0),
        )
        ended = time.monotonic()
        result.flooded = _sum(told)
        result.recovery = await stand.recovered(f"/v1/write/{FLOODED}/{dataset_in(FLOODED, HOME + 2)}")
        settled = await stand.settled()
        result.behind = time.monotonic() - ended
        watching.cancel()
        everything = _sum([before, result.flooded])
        result.truth = compare(
            stand.broker.data, FLOODED, dataset, shape.batch, everything.accepted, everything.unsure
        )
        if not settled:
            result.broken.append("it did not store in time all that it took")
        if stand.broker.logs.count('"action": "task_died"') or "Traceback" in stand.broker.logs:
            result.broken.append("its log tells of a failure: " + stand.broker.logs[-500:])
    result.broken += list(laws(result))
    return result


async def _capacity(stand: Stand, shape: Shape, path: str) -> tuple[Flooded, float]:
    """Return what it stored of callers that wait for each answer, and how many requests a second that was."""
    begun = time.monotonic()
    told = await stand.flood(
        path, batch=shape.batch, rate=1e6, seconds=TAKES, connections=64, first=0, step=1, depth=1
    )
    await stand.settled()
    return told, len(told.accepted) / (time.monotonic() - begun)


async def _floods(stand: Stand, shape: Shape, path: str, rate: float, seconds: float) -> list[Flooded]:
    more = {"batch": shape.batch, "rate": rate, "seconds": seconds, "connections": shape.connections}
    return await asyncio.gather(
        *(stand.flood(path, **more, first=10_000_000 + n, step=CALLERS) for n in range(CALLERS))
    )


def _sum(told: list[Flooded]) -> Flooded:
    total = Flooded()
    for one in told:
        total.due += one.due
        total.sent += one.sent
        total.backoff += one.backoff
        total.lost += one.lost
        total.looks += one.looks
        total.full += one.full
        for mine, theirs in ((total.statuses, one.statuses), (total.codes, one.codes)):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count  # type: ignore[index, call-overload]
        for ours, its in ((total.accepted, one.accepted), (total.unsure, one.unsure)):
            ours += its
        total.unsound += one.unsound
    return total


def laws(result: Result) -> list[str]:
    """Return in words what a flood broke."""
    broken = []
    truth, after = result.truth, result.memory.since(min(60, int(result.seconds // 2)))
    assert truth is not None
    if truth.missing or truth.twice or truth.untold:
        broken.append(f"stored is not what was told: {truth}")
    if result.flooded.unsound:
        broken.append(f"refusals without a reason to come again: {result.flooded.unsound[:5]}")
    if result.flooded.lost:
        broken.append(f"{result.flooded.lost} connections ended with requests unanswered")
    if result.seconds >= 60 and not after.flat:
        broken.append(f"memory grows by {after.slope:.1f} MB a minute ({after.grown:.0%} of it)")
    if max(result.memory.seen) > MOST:
        broken.append(f"it took {max(result.memory.seen):.0f} MB of memory")
    if result.recovery > RECOVERY:
        broken.append(f"it took {result.recovery:.1f} s to recover")
    told = result.flooded
    if told.full < PRESSED * told.looks and told.sent < PRESSED * told.due:
        broken.append(f"it was no flood: {told.sent} of {told.due} were sent, and the connections had room")
    return broken + list(_light(result))


def _light(result: Result) -> Iterator[str]:
    beside, within = result.beside, result.within
    if beside.rate < SERVED:
        yield f"the light client was served {beside.rate:.1%}: {beside.failed}"
    if beside.percentile(0.5) > USUALLY or beside.percentile(0.99) > AT_MOST:
        yield f"the light client waited {beside.percentile(0.5):.1f} s, {beside.percentile(0.99):.1f} s"
    if not within.failed.keys() <= {503, 504}:
        yield f"the light client in the flooded partition was told {within.failed}"
