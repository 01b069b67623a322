"""A socket that sends what it is told, whole or in pieces, and reads every answer that comes back."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

DEADLINE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: its status, its headers in lower case, its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Raw:
    """A connection to a broker. Use it as an asynchronous context manager."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    async def __aenter__(self) -> "Raw":
        self.reader, self.writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def send(self, *pieces: bytes) -> None:
        """Send pieces one after the other, each on its own where the system lets it."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def answer(self, *, head: bool = False) -> Said | None:
        """Return the next answer, None where the connection ended instead. Raises: TimeoutError."""
        async with asyncio.timeout(DEADLINE):
            try:
                told = await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            first, *lines = told.decode("latin-1").split("\r\n")[:-2]
            headers = {
                name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
            }
            status = int(first.split()[1])
            size = 0 if head or status == 100 else int(headers.get("content-length", "0"))
            return Said(status, headers, await self.reader.readexactly(size))

    async def answers(self, most: int = 1_000) -> list[Said]:
        """Return what is answered until the connection ends. Raises: TimeoutError, where it does not."""
        found = []
        while len(found) < most and (said := await self.answer()) is not None:
            found.append(said)
        return found


def post(path: str, token: str, body: bytes, *headers: str) -> bytes:
    """Return a whole request."""
    return head(path, token, f"Content-Length: {len(body)}", *headers) + body


def head(path: str, token: str, *headers: str, method: str = "POST") -> bytes:
    """Return the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: here", f"Authorization: Bearer {token}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def chunked(pieces: Iterable[bytes]) -> bytes:
    """Return pieces in the chunked coding."""
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"
