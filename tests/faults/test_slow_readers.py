"""A thousand readers of streams that take nothing: bounded, closed, resumable; a good one feels nothing."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.tools import calling, patient
from tests.stage.broker import Client
from tests.stage.events import streaming
from tests.stage.patience import eventually
from tests.stage.process import Broker

READERS = 1_000
MB = 1024 * 1024
TEXT = "y" * 20_000
ALL = {"id": "all", "on": "d", "where": "n >= 1"}


@contextmanager
def slow_readers(broker: Broker, kind: str, count: int) -> Iterator[list[socket.socket]]:
    """Open streams and never read from them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 500
    if soft < wanted:
        assert hard in (resource.RLIM_INFINITY,) or hard >= wanted, "ulimit -n is too low for this"
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    request = (
        f"GET /v1/{kind}/acme/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {broker.token}\r\n"
        f"Last-Event-ID: from the beginning\r\n\r\n"
    ).encode()
    with ExitStack() as opened:
        readers = []
        for _ in range(count):
            reader = opened.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.settimeout(60)
            reader.connect(("127.0.0.1", broker.port))
            reader.sendall(request)
            readers.append(reader)
        yield readers


async def open_streams(client: Client, kind: str) -> int:
    metrics = (await client.get("/metrics")).body.decode().splitlines()
    name = f'sluice_streams_open{{kind="{kind}"}} '
    return int(float(next((line for line in metrics if line.startswith(name)), "0 0").split()[-1]))


def memory(pid: int) -> int:
    """Return the bytes a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024


@pytest.mark.parametrize("kind", ["alerts", "events"])
async def test_a_thousand_readers_that_take_nothing_cost_little_and_are_closed(kind: str) -> None:
    with patient() as broker:
        async with calling(broker) as client:
            assert (await client.post("/v1/rules/acme", json=ALL)).status == 201
            assert (await _write(client, 0, 1)) == 200
            url = f"{broker.url}/v1/alerts/acme/stream"
            async with streaming(url, broker.token) as good:
                with slow_readers(broker, kind, READERS):

                    async def opened() -> None:
                        assert await open_streams(client, kind) >= READERS

                    await eventually(opened, 90, every=0.5)
                    idle, most, number, waits = memory(broker.pid), 0, 1, []
                    begun = time.monotonic()
                    closed = False
                    while not closed and time.monotonic() - begun < 150:
                        sent = time.monotonic()
                        assert (await _write(client, number, 10)) == 200
                        number += 10
                        await good.until(lambda found, n=number: len(found) >= n - 1, 60)
                        waits.append(time.monotonic() - sent)
                        most = max(most, memory(broker.pid))
                        closed = await open_streams(client, kind) <= 1
                    lasted = time.monotonic() - begun
                    assert closed, f"{await open_streams(client, kind)} are open after {lasted:.0f} s"
                each = (most - idle) / READERS
                print(
                    f"{kind}: {READERS} closed after {lasted:.0f} s, {each / 1024:.0f} KB each at the most; "
                    f"write to alert of a good reader p50 {sorted(waits)[len(waits) // 2]:.2f} s, "
                    f"worst {max(waits):.2f} s"
                )
                assert each < MB
                assert [one.data["event"]["n"] for one in good.sent] == list(range(1, number))
            async with streaming(url, broker.token, good.ids[4]) as again:
                resumed = await again.until(lambda found: len(found) >= number - 6, 60)
                assert [one.id for one in resumed] == good.ids[5:]


async def _write(client: Client, start: int, count: int) -> int:
    body = [{"n": n, "text": TEXT} for n in range(start, start + count)]
    return (await client.post("/v1/write/acme/d?timeout=60", json=body)).status


async def test_a_reader_that_leaves_while_it_is_stuck_leaves_nothing_behind() -> None:
    with patient() as broker:
        async with calling(broker) as client:
            assert (await _write(client, 0, 1)) == 200
            with slow_readers(broker, "events", 20):

                async def opened() -> None:
                    assert await open_streams(client, "events") == 20

                await eventually(opened, 30)
                for number in range(40):
                    assert (await _write(client, number, 15)) == 200

            async def left() -> None:
                assert await open_streams(client, "events") == 0

            await eventually(left, 10)
