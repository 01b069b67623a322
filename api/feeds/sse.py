"""Server-sent events as bytes (WHATWG HTML, section 9.2)."""

from typing import Final

from storage.alerts import Told

COMMENT_EVERY: Final = 15.0
"""Seconds of silence after which a comment keeps the connection open."""

HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


def comment(text: str) -> bytes:
    """Return a line that readers ignore."""
    return f": {text}\n\n".encode()


def alert_event(told: Told) -> bytes:
    """Return a notification; its id is what `Last-Event-ID` brings back."""
    return f"event: alert\nid: {told.id}\ndata: {told.body}\n\n".encode()
