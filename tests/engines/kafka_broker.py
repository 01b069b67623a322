"""A whole broker over Kafka in the test's own loop, with a database of its own in SQLite.

A pair that `load` refuses, because only one process may use SQLite; here there is only one.
"""

import io
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from infra.lifecycle import Lifecycle
from infra.settings import load
from infra.wiring import start
from tests.stage.broker import Client


@asynccontextmanager
async def kafka_broker(data: Path, url: str, **flags: Any) -> AsyncIterator[Client]:
    """Run a broker on the log at `url`; `flags` are settings by field name."""
    given = {"kafka_prefix": f"test-{secrets.token_hex(4)}", "partitions": 4, "session": "3s", **flags}
    settings = load({"data": data, "port": 0, "free_disk": "1MB", "heartbeat": "500ms", **given})
    settings = settings.model_copy(update={"log": url})
    lifecycle = Lifecycle(settings.stop_deadline / 1e9)
    running = await lifecycle.start("the broker", start(settings, lifecycle, io.StringIO()))
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(running.url, running.token or "", session)
    finally:
        await lifecycle.stop()
