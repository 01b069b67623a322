"""A flood in a process of its own: requests that fall due by the clock, whatever the broker does.

`python -m tests.overload.flood` reads its `Flood` as JSON from standard input, and prints a `Flooded`.
Requests are written to the connections as they fall due, many behind each other; one for which no connection
has room (each holds `depth` unanswered ones at the most) is counted and not sent. Each record carries the
number of its request, `b`, and its place in it, `k`.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Iterator
from typing import Final, cast

import msgspec
import uvloop

TICK: Final = 0.01
PATIENCE: Final = 60.0
"""Seconds that the last answers may take."""
FIRST: Final = 100_000_000_000
"""Requests are numbered from here, so that a number always has twelve digits."""

_MARK: Final = b"%d" % FIRST
_PAD: Final = "x" * 60


class Flood(msgspec.Struct, frozen=True):
    """What is sent: `rate` requests a second of `batch` records, numbered first, first + step, …"""

    port: int
    token: str
    path: str
    batch: int
    rate: float
    seconds: float
    connections: int
    first: int
    step: int
    depth: int = 32


class Flooded(msgspec.Struct):
    """What came of it. `accepted` and `unsure` are numbers of requests; `unsound` are words on answers that
    break a law. `backoff` counts refusals that said when to come again; `lost` connections ended early.
    Of `looks` at the clock `full` found more due than the connections had room for.
    """

    due: int = 0
    sent: int = 0
    statuses: dict[int, int] = {}
    codes: dict[str, int] = {}
    backoff: int = 0
    lost: int = 0
    looks: int = 0
    full: int = 0
    accepted: list[int] = []
    unsure: list[int] = []
    unsound: list[str] = []


def request(flood: Flood) -> bytes:
    """Return a request whose number is `FIRST`."""
    records = [
        {"b": FIRST, "k": k, "temp": k % 40, "station": f"s{k % 500}", "pad": _PAD}
        for k in range(flood.batch)
    ]
    body = msgspec.json.encode(records)
    return (
        f"POST {flood.path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {flood.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class _Caller(asyncio.Protocol):
    """One connection: what it sent and was not answered yet, oldest first."""

    def __init__(self, told: Flooded, depth: int) -> None:
        self.waiting: deque[int] = deque()
        self.open = True
        self._told = told
        self._depth = depth
        self._stuffed = False
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    @property
    def room(self) -> bool:
        """Whether another request may be sent."""
        return self.open and not self._stuffed and len(self.waiting) < self._depth

    def send(self, number: int, whole: bytes) -> None:
        self.waiting.append(number)
        self._transport.write(whole)

    def close(self) -> None:
        self._transport.close()

    def pause_writing(self) -> None:
        self._stuffed = True

    def resume_writing(self) -> None:
        self._stuffed = False

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:end].lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(buffer) < end + 4 + size:
                break
            self._answered(int(head[9:12]), head, buffer[end + 4 : end + 4 + size])
            buffer = buffer[end + 4 + size :]
        self._buffer = buffer

    def _answered(self, status: int, head: bytes, body: bytes) -> None:
        told = self._told
        number = self.waiting.popleft() if self.waiting else -1
        told.statuses[status] = told.statuses.get(status, 0) + 1
        if status in (200, 202):
            told.accepted.append(number)
            return
        code = body.partition(b'"code":"')[2].partition(b'"')[0].decode() or "none"
        told.codes[code] = told.codes.get(code, 0) + 1
        if code in ("outcome_unknown", "too_slow"):
            told.unsure.append(number)
        after = head.partition(b"retry-after:")[2].partition(b"\r\n")[0].strip()
        told.backoff += after.isdigit()
        if status not in (429, 503) or not after.isdigit() or int(after) < 1 or b"problem+json" not in head:
            told.unsound.append(f"{status} {code}, Retry-After {after!r}")
            del told.unsound[20:]

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self._told.unsure += self.waiting
        self._told.lost += bool(self.waiting)


async def run(flood: Flood) -> Flooded:
    """Make the flood, then wait for the last answers."""
    loop = asyncio.get_running_loop()
    told, whole = Flooded(), request(flood)
    callers = []
    for _ in range(flood.connections):
        _, caller = await loop.create_connection(lambda: _Caller(told, flood.depth), "127.0.0.1", flood.port)
        callers.append(caller)
    number, begun = flood.first, loop.time()
    while (spent := loop.time() - begun) < flood.seconds:
        due = int(flood.rate * spent) - told.due
        told.due += due
        sent = told.sent
        for caller in _with_room(callers, due):
            caller.send(number, whole.replace(_MARK, b"%d" % (FIRST + number)))
            told.sent += 1
            number += flood.step
        told.looks += due > 0
        told.full += told.sent - sent < due
        await asyncio.sleep(TICK)
    end = loop.time() + PATIENCE
    while any(caller.waiting for caller in callers if caller.open) and loop.time() < end:
        await asyncio.sleep(TICK)
    for caller in callers:
        caller.close()
    await asyncio.sleep(0)
    return told


def _with_room(callers: list[_Caller], due: int) -> Iterator[_Caller]:
    """Yield a connection for each request that is due, in turn, as long as one has room."""
    turn = deque(caller for caller in callers if caller.room)
    for _ in range(due):
        while turn and not turn[0].room:
            turn.popleft()
        if not turn:
            return
        yield turn[0]
        turn.rotate(-1)


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Flood)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(asked))))
