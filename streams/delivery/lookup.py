"""From a host name to its addresses, without holding up anybody else."""

import socket
from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult


class Lookup(AbstractResolver):
    """Looks names up in threads of its own.

    A name server that hangs holds a thread for half a minute, whatever the caller's deadline; in the loop's
    own few threads it would hold up everything else that waits for one.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`. Raises: socket.gaierror."""
        try:
            found = await get_running_loop().run_in_executor(
                self._pool,
                socket.getaddrinfo,
                host,
                port,
                family,
                socket.SOCK_STREAM,
                0,
                socket.AI_ADDRCONFIG,
            )
        except UnicodeError:
            raise socket.gaierror(socket.EAI_NONAME, "a part of it is empty or too long") from None
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(
                hostname=host, host=str(place[0]), port=port, family=kind, proto=proto, flags=numeric
            )
            for kind, _, proto, _, place in found
        ]

    async def close(self) -> None:
        """Let the threads go; look-ups that have not begun are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
