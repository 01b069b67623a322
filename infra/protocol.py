"""uvicorn's HTTP protocol with an eye on its sockets: small answers leave at once, stalled readers are cut.

uvicorn writes the head and the body of an answer one after the other, and each write is a system call: a
fifth of what a small answer costs. What is written in one turn of the loop leaves together.

A reader that takes nothing holds what waits for it for as long as the connection lives, and closing such a
connection waits for the reader too. So it is aborted.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rules.limits import KB

STALLED: Final = 20.0
LEAST: Final = 64 * KB
"""A reader for whom bytes wait takes at least `LEAST` of them in `STALLED` seconds, or is cut off."""


class _Corked:
    """A transport that gathers what is written in one turn of the loop; all else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._written = 0
        self._before = 0
        self._watching = False

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()
        self.watch()

    def watch(self) -> None:
        """Cut the reader off if it stalls before it has taken everything."""
        if not self._watching and self._transport.get_write_buffer_size():
            self._watching = True
            self._before = self._taken
            self._loop.call_later(STALLED, self._look)

    def _look(self) -> None:
        self._watching = False
        if self._taken - self._before >= LEAST:
            self.watch()
        elif self._transport.get_write_buffer_size():
            self._transport.abort()

    @property
    def _taken(self) -> int:
        return self._written - self._transport.get_write_buffer_size()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, []
            data = held[0] if len(held) == 1 else b"".join(held)
            self._written += len(data)
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class CorkedProtocol(HttpToolsProtocol):
    """`HttpToolsProtocol` over a corked transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        self._corked = _Corked(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self._corked))

    def pause_writing(self) -> None:
        """More waits for the reader than it should: look whether it takes anything."""
        super().pause_writing()
        self._corked.watch()
