"""A light client of another workspace: a few writes a second that wait until they are stored.

`python -m tests.overload.light` reads its `Light` as JSON from standard input, and prints a `Served`. Every
other write comes over a connection of its own, for which the broker must first find time.
"""

import asyncio
import sys
import time

import aiohttp
import msgspec


class Light(msgspec.Struct, frozen=True):
    """What is sent: `rate` writes a second to `path`, each to be stored within `timeout` seconds."""

    url: str
    token: str
    path: str
    rate: float
    seconds: float
    timeout: float = 20.0


class Served(msgspec.Struct):
    """Seconds that each write took that was stored, and how the others ended, by status (0: no answer)."""

    took: list[float] = []
    failed: dict[int, int] = {}

    @property
    def rate(self) -> float:
        """The share of writes that were stored."""
        return len(self.took) / max(1, len(self.took) + sum(self.failed.values()))

    def percentile(self, share: float) -> float:
        """Return the seconds within which this share of the stored writes was."""
        return sorted(self.took)[min(len(self.took) - 1, int(share * len(self.took)))] if self.took else 0.0


async def run(light: Light) -> Served:
    """Send each write when it is due, whatever became of those before it."""
    served = Served()
    headers = {"Authorization": f"Bearer {light.token}"}
    patience = aiohttp.ClientTimeout(total=light.timeout)
    fresh = aiohttp.TCPConnector(force_close=True)
    async with (
        aiohttp.ClientSession(headers=headers, timeout=patience) as kept,
        aiohttp.ClientSession(headers=headers, timeout=patience, connector=fresh) as new,
        asyncio.TaskGroup() as group,
    ):
        begun, number = time.monotonic(), 0
        while (due := number / light.rate) < light.seconds:
            await asyncio.sleep(max(0.0, begun + due - time.monotonic()))
            group.create_task(_write(kept if number % 2 else new, light, number, served))
            number += 1
    return served


async def _write(session: aiohttp.ClientSession, light: Light, number: int, served: Served) -> None:
    begun = time.monotonic()
    try:
        async with session.post(light.url + light.path, json={"b": number, "k": 0}) as answer:
            await answer.read()
            status = answer.status
    except (aiohttp.ClientError, TimeoutError):
        status = 0
    if status == 200:
        served.took.append(time.monotonic() - begun)
    else:
        served.failed[status] = served.failed.get(status, 0) + 1


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Light)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(run(asked))))
