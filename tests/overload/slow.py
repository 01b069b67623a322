"""Bodies that hardly come: connections that send some of a large body, and then a byte a second."""

import asyncio
import time
from typing import Final

from tests.overload.flood import Flooded
from tests.overload.shapes import Result
from tests.overload.stand import FLOODED, LIGHT, Stand, dataset_in, standing
from tests.rubbish.raw import Raw, head

CONNECTIONS: Final = 600
BODY: Final = 8 * 1024 * 1024
BEGUN: Final = 128 * 1024
PATIENCE: Final = 60.0
"""Seconds within which the broker must have let go of a body that does not come: its grace is 30."""


async def trickle(seconds: float) -> Result:
    """Hold as many bytes in flight as one workspace may, for as long as the broker lets it."""
    result = Result("slow bodies", capacity=CONNECTIONS, seconds=seconds)
    async with standing() as stand:
        beside, path = dataset_in(LIGHT, 3), f"/v1/record/{FLOODED}/{dataset_in(FLOODED, 2)}"
        watching = asyncio.create_task(result.memory.watch(stand.broker.pid))
        held: list[float] = []
        looking = asyncio.create_task(_look(stand, held))
        serving = asyncio.create_task(stand.light(beside, seconds))
        end = time.monotonic() + seconds
        told = result.flooded = Flooded(due=CONNECTIONS, sent=CONNECTIONS)
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(_one(stand, path, end, told))
        result.beside = await serving
        result.within = result.beside
        result.recovery = await stand.recovered(path.replace("record", "write"))
        result.behind = await _released(stand)
        for task in (watching, looking):
            task.cancel()
    most = max(held) / 1024 / 1024
    result.shape += f", {most:.0f} MB in flight at most"
    if most > 33:
        result.broken.append(f"one workspace held {most:.0f} MB in flight")
    if seconds > PATIENCE and told.codes.get("bad_request", 0) == 0:
        result.broken.append("no body was given up")
    if result.behind > 5 or result.recovery > 10 or told.unsound or result.beside.rate < 0.99:
        result.broken.append(f"{result.behind=} {result.recovery=} {told.unsound=} {result.beside.failed=}")
    return result


async def _one(stand: Stand, path: str, end: float, told: Flooded) -> None:
    """Send a byte a second until the end, or until the broker has had enough."""
    async with Raw(stand.broker.url) as raw:
        try:
            await raw.send(head(path, stand.token(FLOODED), f"Content-Length: {BODY}"), b"[" + b" " * BEGUN)
            while time.monotonic() < end and not raw.reader.at_eof():
                said = None
                try:
                    async with asyncio.timeout(1.0):
                        said = await raw.answer()
                except TimeoutError:
                    await raw.send(b" ")
                    continue
                if said is not None:
                    told.statuses[said.status] = told.statuses.get(said.status, 0) + 1
                    code = said.json["code"]
                    told.codes[code] = told.codes.get(code, 0) + 1
                    after = said.headers.get("retry-after", "")
                    told.backoff += after.isdigit()
                    if said.status not in (400, 503) or (said.status == 503 and not after.isdigit()):
                        told.unsound.append(f"{said.status} {code}")
                return
        except ConnectionError:
            told.lost += 1


async def _look(stand: Stand, held: list[float]) -> None:
    while True:
        held.append(await stand.metric("inflight_bytes"))
        await asyncio.sleep(1.0)


async def _released(stand: Stand, deadline: float = 30.0) -> float:
    """Return the seconds until nothing is in flight."""
    begun = time.monotonic()
    while time.monotonic() - begun < deadline:
        if await stand.metric("inflight_bytes") == 0:
            return time.monotonic() - begun
        await asyncio.sleep(0.2)
    return float("inf")
