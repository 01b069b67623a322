"""What one connection may cost: heads in bytes and time, silence, requests sent ahead; and how many may be.

uvicorn bounds none of these. It also answers what is no HTTP in words of its own and ahead of the answers
that are still due, and takes the body of a request that asks for another protocol (`curl --http2`) for the
next request; both are done otherwise here.
"""

import asyncio
from collections.abc import Sized
from typing import Any, Final

import httptools
from uvicorn.protocols.http.flow_control import FlowControl

from api.entry.answer import Answer, problem
from infra.protocol import CorkedProtocol
from rules.errors import BAD_REQUEST, OVERLOADED, Problem

HEAD_BYTES: Final = 64 * 1024
"""Bytes after which something whole (a head, a piece of a body) must have come, but for one read's."""
HEADERS: Final = 256
HEAD_SECONDS: Final = 30.0
SILENT_SECONDS: Final = 75.0
"""Seconds that a connection may be open with nothing sent and nothing due."""
LOOK_EVERY: Final = 5.0
PIPELINED: Final = 256
"""Requests that may wait behind the one that is answered, as far as one read brings them."""
SURPLUS: Final = 256
"""Connections beyond the bound that are answered, with 503, and not merely closed."""

_UPGRADE: Final = frozenset({b"connection", b"upgrade", b"http2-settings"})


class _Flow(FlowControl):
    """Reads nothing more while requests wait: uvicorn's reads on whenever one of them asks for its body."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class BoundedProtocol(CorkedProtocol):
    """One connection. `most` is how many of them may be open."""

    def __init__(self, *args: Any, most: int, **more: Any) -> None:
        super().__init__(*args, **more)
        self._most = most
        self._unfinished = self._read = 0
        self._heard = 0.0
        self._head_since: float | None = None
        self._bodied = False
        self._ended = False
        self._last_words: bytes | None = None
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection, if there is room for one."""
        super().connection_made(transport)
        self.flow = _Flow(self.transport, self.pipeline)
        self._heard = self.loop.time()
        self._watch = self.loop.call_later(LOOK_EVERY, self._look)
        if len(self.connections) > self._most + SURPLUS:
            self._ended = True
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._heard = self.loop.time()
        if self._ended:
            return
        self._unset_keepalive_if_required()
        if len(self.connections) > self._most and self.cycle is None:
            self._end(Problem(OVERLOADED, f"{self._most} connections are open, as many as may be."))
            return
        self._read = len(data)
        self._unfinished += self._read
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            why = str(error.__context__ or error)[:200]
            self._end(Problem(BAD_REQUEST, f"What came is no HTTP/1.1 request: {why}."))
        if self._unfinished > HEAD_BYTES:
            self._end(
                Problem(BAD_REQUEST, f"A request's head may have {HEAD_BYTES} bytes; this one is longer.")
            )

    def on_message_begin(self) -> None:
        """Note when a head began."""
        super().on_message_begin()
        self._head_since = self._heard

    def on_headers_complete(self) -> None:
        """Start the request, unless its head is too long."""
        large = max(self._unfinished, self._read) > HEAD_BYTES
        self._unfinished, self._bodied, self._head_since = 0, False, None
        if self.parser.should_upgrade():
            return  # the parser would leave its body out; see `_ignore_upgrade`
        if len(self.headers) > HEADERS:
            raise ValueError(f"more than {HEADERS} headers")
        if large and len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            raise ValueError(f"a head of more than {HEAD_BYTES} bytes")
        if len(self.pipeline) >= PIPELINED:
            raise ValueError(f"more than {PIPELINED} requests wait on this connection")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand over a piece of the body."""
        self._unfinished, self._bodied = 0, True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Hand over the end of the body."""
        self._unfinished = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, say the last words, or close where the body will not come."""
        last = not self.pipeline
        super().on_response_complete()
        if last and self._last_words is not None:
            self._say(self._last_words)
        elif last and self.expect_100_continue and self.cycle.more_body and not self._bodied:
            self.transport.close()

    def _look(self) -> None:
        """Close a connection on which nothing has moved for too long."""
        now = self.loop.time()
        self._watch = self.loop.call_later(LOOK_EVERY, self._look)
        if self._head_since is not None and now - self._head_since > HEAD_SECONDS:
            self._end(
                Problem(BAD_REQUEST, f"The head of the request took more than {HEAD_SECONDS:g} seconds.")
            )
        elif now - self._heard > SILENT_SECONDS and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read the request again as one that asks for no other protocol (RFC 9110, 7.8: it may be ignored).

        The parser takes whatever follows such a head for that protocol, a body included.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._end(Problem(BAD_REQUEST, "This is no proxy: CONNECT is not answered."))
            return
        lines = [b"%b %b HTTP/1.1" % (method, self.url)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] not in _UPGRADE]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            lines.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def _end(self, refused: Problem) -> None:
        """Refuse what came last, behind the answers that are due before it, and close."""
        if self._ended:
            return
        self._ended = True
        words = _words(problem(refused))
        broken = self.cycle
        if broken is None or broken.response_complete:
            self._say(words)
        elif not broken.more_body:
            self._last_words = words
        elif self.pipeline:
            self.pipeline.popleft()
            self._last_words = words
        elif broken.response_started:
            self.transport.close()
        else:
            broken.disconnected = True
            broken.message_event.set()
            self._say(words)

    def _say(self, words: bytes) -> None:
        self.transport.write(words)
        self.transport.close()


def _words(answer: Answer) -> bytes:
    """Return an answer as it goes over the wire when no request is there for it."""
    reason = {400: b"Bad Request", 503: b"Service Unavailable"}[answer.status]
    headers = (answer.content_type, *answer.headers, (b"content-length", b"%d" % len(answer.body)))
    head = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %b\r\n%bconnection: close\r\n\r\n%b" % (answer.status, reason, head, answer.body)
