"""Server-sent events, read as they come."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Sent:
    """One event: its name, its id (empty where none came), its data."""

    event: str
    id: str
    data: Any


@dataclass
class Stream:
    """What a stream has sent so far; `ended` once the other side has closed it."""

    sent: list[Sent] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.sent]

    async def until(self, check: Callable[[list[Sent]], bool], deadline: float = 10.0) -> list[Sent]:
        """Return what was sent once `check` says it is enough.

        Raises: TimeoutError.
        """
        async with asyncio.timeout(deadline), self._changed:
            await self._changed.wait_for(lambda: check(self.sent))
        return list(self.sent)

    async def _take(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "data" in fields:
            one = Sent(fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"]))
            async with self._changed:
                self.sent.append(one)
                self._changed.notify_all()


@asynccontextmanager
async def streaming(url: str, token: str, last_id: str | None = None) -> AsyncIterator[Stream]:
    """Open a stream and read it while the context lasts; entered once the other side listens."""
    headers = {"Authorization": f"Bearer {token}"} | ({} if last_id is None else {"Last-Event-ID": last_id})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(url, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()
        stream = Stream()
        greeting = await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 10)
        reading = asyncio.create_task(_read(answer, stream, greeting))
        try:
            yield stream
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _read(answer: aiohttp.ClientResponse, stream: Stream, greeting: bytes) -> None:
    try:
        await stream._take(greeting.decode())
        while block := await answer.content.readuntil(b"\n\n"):  # nothing: it was closed in good order
            await stream._take(block.decode())
    except (aiohttp.ClientError, asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        stream.ended.set()
