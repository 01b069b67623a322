"""A receiver of webhooks that believes only what is signed, and notes when each came."""

from asyncio import Event
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hmac import compare_digest
from json import loads
from time import perf_counter, time
from typing import Any, Final

from aiohttp.web import Application, AppRunner, Request, Response, TCPSite, post

from streams.delivery.webhook import sign

MOST: Final = 200_000
"""Notifications it remembers; past it, it answers 503."""

TOLERANCE: Final = 300
"""Seconds a signature's time may be off, as Standard Webhooks 1.0 advises."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A notification: the alert it tells of, and when it came first, in seconds of the receiver's clock."""

    alert: dict[str, Any]
    at: float


class Receiver:
    """Takes webhooks at `url`; `secret` is what they must be signed with, known once one has subscribed.

    What comes again under the same id is counted in `repeated` and not kept, what is not signed as it
    should be is answered 401 and counted in `forged`.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.url = ""
        self.secret = ""
        self.arrivals: dict[str, Arrival] = {}
        self.repeated = 0
        self.forged = 0
        self._clock = clock
        self._wanted = 0
        self._reached = Event()
        self._arrived: Callable[[], object] = lambda: None

    def on_arrival(self, arrived: Callable[[], object]) -> None:
        """Call `arrived` for each notification that comes from now on."""
        self._arrived = arrived

    async def until(self, count: int) -> None:
        """Return once `count` notifications are here."""
        self._wanted = count
        self._reached.clear()
        if len(self.arrivals) < count:
            await self._reached.wait()

    async def take(self, request: Request) -> Response:
        """Take one webhook: 204, 401 where its signature is wrong, 503 where too many came."""
        came = self._clock()
        body = await request.read()
        notification = request.headers.get("webhook-id", "")
        if not self._signed(notification, request.headers, body):
            self.forged += 1
            return Response(status=401)
        if notification in self.arrivals:
            self.repeated += 1
        elif len(self.arrivals) >= MOST:
            return Response(status=503)
        else:
            self.arrivals[notification] = Arrival(loads(body)["data"], came)
            self._arrived()
            if len(self.arrivals) >= self._wanted:
                self._reached.set()
        return Response(status=204)

    def _signed(self, notification: str, headers: Any, body: bytes) -> bool:
        stamp, signature = headers.get("webhook-timestamp", ""), headers.get("webhook-signature", "")
        if not self.secret or not stamp.isdecimal() or abs(time() - int(stamp)) > TOLERANCE:
            return False
        return compare_digest(sign(self.secret, notification, int(stamp), body).encode(), signature.encode())


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[Receiver]:
    """Serve `receiver` on a free port of loopback."""
    app = Application()
    app.add_routes([post("/hook", receiver.take)])
    runner = AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()
