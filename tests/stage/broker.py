"""A whole broker inside the test's own loop, over real HTTP, real log, real database."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from infra.lifecycle import Lifecycle
from infra.settings import Settings, load
from infra.wiring import start
from tests.stage.postgres import database_of


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read."""

    status: int
    headers: Any
    body: bytes
    json: Any


@dataclass(frozen=True, slots=True)
class Client:
    """A caller with one token."""

    url: str
    token: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, *, token: str | None = None, **kwargs: Any) -> Answer:
        """Send a request; `json=` and `data=` are aiohttp's."""
        headers = {"Authorization": f"Bearer {token or self.token}", **kwargs.pop("headers", {})}
        async with self.session.request(method, self.url + path, headers=headers, **kwargs) as answer:
            body = await answer.read()
            told = await answer.json(content_type=None) if "json" in answer.content_type else None
            return Answer(answer.status, answer.headers, body, told)

    async def get(self, path: str, **kwargs: Any) -> Answer:
        return await self.ask("GET", path, **kwargs)

    async def post(self, path: str, **kwargs: Any) -> Answer:
        return await self.ask("POST", path, **kwargs)

    async def put(self, path: str, **kwargs: Any) -> Answer:
        return await self.ask("PUT", path, **kwargs)

    async def patch(self, path: str, **kwargs: Any) -> Answer:
        return await self.ask("PATCH", path, **kwargs)

    async def delete(self, path: str, **kwargs: Any) -> Answer:
        return await self.ask("DELETE", path, **kwargs)


@asynccontextmanager
async def running_broker(data: Path, database: str | None = None, **flags: Any) -> AsyncIterator[Client]:
    """Run a broker in `data`; `flags` are settings by field name.

    `database` is the address of one on PostgreSQL, with the embedded log: a pair that settings refuse.
    """
    settings: Settings = load({"data": data, "port": 0, "free_disk": "1MB", **flags})
    settings = settings.model_copy(update={"database": database or database_of(data)})
    async with broker_with(settings) as client:
        yield client


@asynccontextmanager
async def broker_with(settings: Settings) -> AsyncIterator[Client]:
    """Run a broker with settings as they are."""
    lifecycle = Lifecycle(settings.stop_deadline / 1e9)
    running = await lifecycle.start("the broker", start(settings, lifecycle, io.StringIO()))
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(running.url, running.token or "", session)
    finally:
        await lifecycle.stop()
