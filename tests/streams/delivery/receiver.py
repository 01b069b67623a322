"""Receivers of webhooks on free ports of this machine, well-behaved and not."""

from asyncio import Condition, Event, StreamReader, StreamWriter, start_server, timeout
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Script = Callable[[StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What a server got: `received` in order, `inside` requests being answered, `peak` the most at once."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    inside: int = 0
    peak: int = 0
    changed: Condition = field(default_factory=Condition)

    async def note(self, request: Received) -> None:
        async with self.changed:
            self.received.append(request)
            self.inside += 1
            self.peak = max(self.peak, self.inside)
            self.changed.notify_all()

    async def until(self, count: int, within: float = 5.0) -> None:
        """Wait until `count` requests have arrived; fail after `within` seconds."""
        async with timeout(within), self.changed:
            await self.changed.wait_for(lambda: len(self.received) >= count)


@asynccontextmanager
async def receiver(answer: Answer) -> AsyncIterator[Receiver]:
    """Run an HTTP server whose every request is answered by `answer`."""
    seen = Receiver()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await seen.note(Received(dict(request.headers), await request.read()))
        try:
            return await answer(request)
        finally:
            seen.inside -= 1

    server = web.Server(handle, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    seen.url = f"http://{host}:{port}/hook"
    try:
        yield seen
    finally:
        await runner.cleanup()


def always(status: int, headers: dict[str, str] | None = None) -> Answer:
    """Answer every request with this status."""
    return in_turn(status, headers=headers)


def in_turn(*statuses: int, headers: dict[str, str] | None = None) -> Answer:
    """Answer with these statuses one after the other, then go on with the last."""
    left = list(statuses)

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(status=left.pop(0) if len(left) > 1 else left[0], headers=headers)

    return answer


def when(gate: Event) -> Answer:
    """Answer 200 once `gate` is set."""

    async def answer(request: web.BaseRequest) -> web.Response:
        await gate.wait()
        return web.Response()

    return answer


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """Run a server that reads a request's head and then does what `script` does; yield its address."""
    writers: list[StreamWriter] = []

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            await script(writer)
        writer.close()

    server = await start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}/hook"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
