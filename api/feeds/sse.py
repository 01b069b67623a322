"""Server-sent events as bytes (WHATWG HTML, section 9.2)."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Send

from rules.errors import OVERLOADED, Problem
from rules.limits import KB
from rules.signals import Meter
from storage.alerts import Told

COMMENT_EVERY: Final = 15.0
"""Seconds of silence after which a comment keeps the connection open."""

HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


PIECE: Final = 64 * KB
"""Bytes handed to a connection at once: what a reader that takes nothing costs beside what it waits for."""

STREAMS: Final = 10_000
"""Streams one process holds open at once."""


class EventStream(StreamingResponse):
    """An answer of events. Its generator ends when the reader leaves, also one that took nothing any more.

    Starlette leaves a generator that waits at a `yield` to the garbage collector.
    """

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, headers=HEADERS)
        self._events = events

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)


class Streams:
    """Counts the streams that are open, and bounds them."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._open: dict[str, int] = {}

    def check(self) -> None:
        """Let another stream be opened.

        Raises: Problem(overloaded).
        """
        if sum(self._open.values()) >= STREAMS:
            raise Problem(OVERLOADED, f"{STREAMS} streams are open, as many as may be.", retry_after=5)

    def opened(self, kind: str) -> None:
        """Note that a stream began."""
        self._open[kind] = self._open.get(kind, 0) + 1
        self._meter.gauge("streams_open", self._open[kind], kind=kind)

    def closed(self, kind: str) -> None:
        """Note that a stream ended."""
        self._open[kind] -= 1
        self._meter.gauge("streams_open", self._open[kind], kind=kind)


def comment(text: str) -> bytes:
    """Return a line that readers ignore."""
    return f": {text}\n\n".encode()


def alert_event(told: Told) -> bytes:
    """Return a notification; its id is what `Last-Event-ID` brings back."""
    return f"event: alert\nid: {told.id}\ndata: {told.body}\n\n".encode()


def pieces(events: Iterable[bytes]) -> Iterator[bytes]:
    """Put events together to pieces of about `PIECE` bytes; only a single larger one makes a larger piece."""
    held: list[bytes] = []
    size = 0
    for event in events:
        if held and size + len(event) > PIECE:
            yield b"".join(held)
            held, size = [], 0
        held.append(event)
        size += len(event)
    if held:
        yield b"".join(held)
