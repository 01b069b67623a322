"""The door of a process: its HTTP server, which answers probes while the rest starts, and requests after."""

import asyncio
from collections.abc import Awaitable, Callable
from socket import socket

from api.app import App
from api.entry.answer import Receive, Scope, Send
from api.health import Vitals
from api.probes import probes
from infra.lifecycle import Lifecycle
from infra.server import Server
from infra.settings import Settings
from rules.errors import STARTING, Problem


class Door:
    """Serves on a socket that listens. What comes before `let_in` waits, or is answered after `open`."""

    def __init__(self, settings: Settings, lifecycle: Lifecycle, sock: socket, vitals: Vitals) -> None:
        self._lifecycle = lifecycle
        self._app: App = probes(vitals, lambda _: Problem(STARTING))
        self._let_go: Callable[[], None] | None = None
        self._server = Server(
            self._answer,
            sock,
            settings.stop_deadline / 2e9,
            settings.max_connections,
            settings.tls_cert,
            settings.tls_key,
        )
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Answer from now on: probes, and 503 to all else, until others are let in."""
        if self._serving is None:
            self._serving = asyncio.create_task(self._server.run(), name="server")
            self._lifecycle.on_stop("server", self._close)
            self._lifecycle.watch("server", self._serving)
        await self._server.started()

    async def let_in(self, app: App, let_go: Callable[[], None]) -> None:
        """Answer with an application from now on; `let_go` is called before all else at the stop."""
        self._app, self._let_go = app, let_go
        await self.open()
        self._lifecycle.on_stop("door", self._close)

    def _answer(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._app(scope, receive, send)

    async def _close(self) -> None:
        if self._let_go is not None:
            self._let_go()
            self._let_go = None
        self._server.stop()
        if self._serving is not None:
            await self._serving
