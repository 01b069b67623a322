"""The HTTP server: uvicorn on a socket of ours, stopped by us."""

import asyncio
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import uvicorn

from api.app import App
from infra.connections import SURPLUS, BoundedProtocol
from infra.settings import WrongSetting

FILES: Final = 512
"""Files that the log, the database and webhooks may have open besides the connections."""

ITS_OWN: Final = 0.25
"""Seconds of its stop that uvicorn needs besides: it looks each tenth of a second whether all is done."""


class Server:
    """Serves an application until it is stopped. Signals are not its business.

    `drain` is the seconds that the stop may take. `most` is how many connections may be open at once; fewer
    are where the system allows fewer files.
    """

    def __init__(
        self, app: App, sock: socket.socket, drain: float, most: int, cert: Path | None, key: Path | None
    ) -> None:
        most = min(most, max(64, _files() - FILES - SURPLUS))
        config = uvicorn.Config(
            app,
            http=cast(Any, partial(BoundedProtocol, most=most)),
            interface="asgi3",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            date_header=False,
            timeout_graceful_shutdown=cast(int, max(0.1, drain - ITS_OWN)),  # it takes fractions too
            timeout_keep_alive=75,
            backlog=2048,
            ssl_certfile=None if cert is None else str(cert),
            ssl_keyfile=None if key is None else str(key),
        )
        self._server = _Quiet(config)
        self._socket = sock

    async def run(self) -> None:
        """Serve until `stop` is called."""
        await self._server.serve(sockets=[self._socket])

    async def started(self) -> None:
        """Wait until requests are taken."""
        await self._server.taking.wait()

    def stop(self) -> None:
        """Take no more requests; those under way have until the drain deadline."""
        self._server.should_exit = True


def _files() -> int:
    """Return how many files the process may have open, which is made as many as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return 2**31 if soft == resource.RLIM_INFINITY else soft


class _Quiet(uvicorn.Server):
    """uvicorn without signal handlers of its own: one owner for signals keeps the stop predictable."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.taking = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.taking.set()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises: WrongSetting.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host.strip("[]"), port))
    except OSError as error:
        sock.close()
        raise WrongSetting(
            f"SLUICE_HOST={host} and SLUICE_PORT={port} can't be listened on: {error.strerror or error}. "
            f"Choose another with --port or SLUICE_PORT."
        ) from error
    sock.listen(2048)
    sock.setblocking(False)
    return sock
