"""A hundred subscriptions whose receivers answer a byte a second: cut at 15 s, and no other feels it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.faults.tools import calling, patient
from tests.stage.broker import Client
from tests.stage.patience import eventually

DRIPPING = 100
ALERTS = 20
GOOD = 150
DEADLINE = 15.0
ALL = {"id": "all", "on": "d", "where": "n >= 0"}


@dataclass
class Receiver:
    """Takes webhooks; `held` has how long each connection lasted that was cut by the other side."""

    drip: bool
    port: int = 0
    arrived: dict[str, float] = field(default_factory=dict)
    held: list[float] = field(default_factory=list)
    inside: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                size = int(head.split("content-length: ")[1].split("\r\n")[0])
                await reader.readexactly(size)
                self.arrived[head.split("webhook-id: ")[1].split("\r\n")[0]] = time.monotonic()
                if self.drip:
                    await self._drip(writer)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        self.inside += 1
        begun = time.monotonic()
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(1)
        finally:
            self.inside -= 1
            self.held.append(time.monotonic() - begun)


@asynccontextmanager
async def receiving(drip: bool) -> AsyncIterator[Receiver]:
    receiver = Receiver(drip)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


async def _latencies(client: Client, good: Receiver, start: int, count: int) -> list[float]:
    """Return the seconds from a write to its webhook, sorted, for writes at a steady pace."""
    sent: dict[int, float] = {}
    before = len(good.arrived)
    for number in range(start, start + count):
        sent[number] = time.monotonic()
        answer = await client.post("/v1/write/good/d?timeout=60", json=[{"n": number}])
        assert answer.status == 200
        await asyncio.sleep(0.05)
    await eventually(lambda: len(good.arrived) >= before + count, 60)
    listed = (await client.get("/v1/alerts/good?limit=1000")).json["alerts"]
    places = {alert["id"]: alert["event"]["n"] for alert in listed}
    return sorted(good.arrived[alert] - sent[number] for alert, number in places.items() if number in sent)


async def test_receivers_that_drip_are_cut_and_harm_nobody_else() -> None:
    env = {"SLUICE_ALLOW_PRIVATE_TARGETS": "true"}
    with patient(env) as broker:
        async with calling(broker) as client, receiving(True) as bad, receiving(False) as good:
            for workspace, receiver, count in (("bad", bad, DRIPPING), ("good", good, 1)):
                assert (await client.post(f"/v1/rules/{workspace}", json=ALL)).status == 201
                for number in range(count):
                    url = f"http://127.0.0.1:{receiver.port}/{number}"
                    hook = {"kind": "webhook", "url": url}
                    assert (await client.post(f"/v1/subscriptions/{workspace}", json=hook)).status == 201
            alone = await _latencies(client, good, 0, GOOD)
            for number in range(ALERTS):
                assert (await client.post("/v1/write/bad/d?timeout=60", json=[{"n": number}])).status == 200
            await eventually(lambda: bad.inside >= DRIPPING, 30)
            begun = time.monotonic()
            beside: list[float] = []
            start = GOOD
            while time.monotonic() - begun < 2 * DEADLINE:
                beside += await _latencies(client, good, start, GOOD)
                start += GOOD
            beside.sort()
            await eventually(lambda: len(bad.held) >= DRIPPING, 60)
            first = sorted(bad.held)[:DRIPPING]
            print(
                f"write to webhook, alone: {_worded(alone)}; beside {DRIPPING} dripping: {_worded(beside)};"
                f" cut after {first[0]:.1f} to {first[-1]:.1f} s"
            )
            assert all(DEADLINE - 3 < seconds < DEADLINE + 10 for seconds in first)
            assert beside[int(len(beside) * 0.99)] < max(1.0, 5 * alone[int(len(alone) * 0.99)])
            told = (await client.get("/v1/subscriptions/bad")).json["subscriptions"][0]["id"]
            tries = (await client.get(f"/v1/subscriptions/bad/{told}/deliveries")).json
            assert any("15 seconds" in (one["error"] or "") for one in tries)


def _worded(found: list[float]) -> str:
    p50, p99 = (found[int(len(found) * share)] * 1_000 for share in (0.5, 0.99))
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms of {len(found)}"
