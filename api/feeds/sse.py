"""Server-sent events as bytes (WHATWG HTML, section 9.2)."""

from typing import Final

from rules.errors import OVERLOADED, Problem
from rules.signals import Meter
from storage.alerts import Told

COMMENT_EVERY: Final = 15.0
"""Seconds of silence after which a comment keeps the connection open."""

HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


STREAMS: Final = 10_000
"""Streams one process holds open at once."""


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
