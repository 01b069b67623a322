"""A load: connections that each send the next request as soon as the last was answered.

`wrk` makes it where it is installed, since it costs little of the machine that is measured. Where it is
not, a generator of ours does, on this process's loop; it says so, and the ratios are then kinder to what is
slow, because the generator is slow too.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from shutil import which
from time import perf_counter
from typing import Final, NamedTuple, cast
from urllib.parse import urlsplit

from httptools import HttpResponseParser

from infra.demo_report import percentile

WRK: Final = which("wrk")
PATIENCE: Final = 30.0
"""Seconds that the last answers may take."""

_LUA: Final = """
local shots, n, i = {}, 0, 0
local headers = {%(headers)s}
function init(args)
  local file = assert(io.open(%(file)s, "rb"))
  while true do
    local head = file:read("*l")
    if head == nil then break end
    local size, path = head:match("^(%%d+) (.*)$")
    n = n + 1
    shots[n] = wrk.format("POST", path, headers, file:read(tonumber(size)))
    file:read("*l")
  end
  file:close()
end
function request() i = i %% n + 1 return shots[i] end
%(delay)s
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.status + e.connect + e.read + e.write + e.timeout))
end
"""


class Shot(NamedTuple):
    """One request: where to, and its body."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: `shots` over and over by each connection, with a pause of `delay_ms` after an answer."""

    url: str
    shots: Sequence[Shot]
    headers: Mapping[str, str]
    connections: int
    seconds: float
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """How it went: requests answered in `seconds`, their times in ms, how many failed (status ≥ 400 too)."""

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


async def run_load(load: Load, *, refusals: bool = False) -> Answered:
    """Make the load, by `wrk` or by ourselves.

    Raises: RuntimeError where anything failed, since a figure with errors in it means nothing; not with
    `refusals`, for a load that is meant to be too much.
    """
    answered = await (_by_wrk(load, WRK) if WRK else by_ourselves(load))
    if not answered.requests or (answered.failed and not refusals):
        raise RuntimeError(
            f"Of {answered.requests} requests to {load.url} {answered.failed} failed; nothing can be told."
        )
    return answered


async def _by_wrk(load: Load, wrk: str) -> Answered:
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        shots, script = Path(folder) / "shots", Path(folder) / "load.lua"
        shots.write_bytes(
            b"".join(b"%d %b\n%b\n" % (len(s.body), s.path.encode(), s.body) for s in load.shots)
        )
        headers = ", ".join(f'["{name}"] = "{value}"' for name, value in load.headers.items())
        delay = f"function delay() return {load.delay_ms} end" if load.delay_ms else ""
        script.write_text(_LUA % {"headers": headers, "file": f'"{shots}"', "delay": delay})
        process = await asyncio.create_subprocess_exec(
            *(wrk, "-t1", f"-c{load.connections}", f"-d{max(1, ceil(load.seconds))}s"),
            *("--timeout", f"{PATIENCE:g}s"),
            *("-s", str(script), load.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await process.communicate())[0].decode(errors="replace")
    return read_result(said)


def read_result(said: str) -> Answered:
    """Return what our script had wrk say. Raises: RuntimeError, where it did not."""
    for line in said.splitlines():
        if line.startswith("RESULT "):
            requests, micros, p50, p99, failed = map(int, line.split()[1:])
            return Answered(requests, micros / 1e6, p50 / 1e3, p99 / 1e3, failed)
    raise RuntimeError(f"wrk did not end as it should: {said[-500:]}")


async def by_ourselves(load: Load) -> Answered:
    """Make the load on this loop."""
    loop = asyncio.get_running_loop()
    target = urlsplit(load.url)
    host, port = target.hostname or "", target.port or 80
    head = "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())
    ready = [
        f"POST {shot.path} HTTP/1.1\r\nHost: {target.netloc}\r\n{head}"
        f"Content-Length: {len(shot.body)}\r\n\r\n".encode()
        + shot.body
        for shot in load.shots
    ]
    begun = perf_counter()  # a loop's own clock may count whole milliseconds
    end = begun + load.seconds
    callers = []
    for number in range(load.connections):
        _, caller = await loop.create_connection(
            lambda number=number: _Caller(ready, number, end, load.delay_ms / 1e3),  # type: ignore[misc]
            host,
            port,
        )
        callers.append(caller)
    async with asyncio.timeout(load.seconds + PATIENCE):
        await asyncio.gather(*(caller.ended for caller in callers))
    took = [t for caller in callers for t in caller.took]
    failed = sum(caller.failed for caller in callers)
    if not took:
        return Answered(0, load.seconds, 0.0, 0.0, failed)
    p50, p99 = percentile(took, 0.5) * 1e3, percentile(took, 0.99) * 1e3
    return Answered(len(took), perf_counter() - begun, p50, p99, failed)


class _Caller(asyncio.Protocol):
    """One connection of ours."""

    def __init__(self, ready: Sequence[bytes], first: int, end: float, delay: float) -> None:
        self.took: list[float] = []
        self.failed = 0
        self._ready = ready
        self._next = first
        self._end = end
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._parser = HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop's transports are of the class, though all are of its kind.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        now = perf_counter()
        self.took.append(now - self._sent)
        self.failed += self._parser.get_status_code() >= 400
        self._parser = HttpResponseParser(self)
        if now >= self._end:
            self._transport.close()
        elif self._delay:
            self._loop.call_later(self._delay, self._send)
        else:
            self._loop.call_soon(self._send)

    def connection_lost(self, error: Exception | None) -> None:
        self.failed += error is not None or perf_counter() < self._end
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        if self._transport.is_closing():
            return
        self._sent = perf_counter()
        self._transport.write(self._ready[self._next % len(self._ready)])
        self._next += 1
