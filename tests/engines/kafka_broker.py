"""A whole broker over Kafka in the test's own loop, with a database of its own in SQLite.

A pair that `load` refuses, because only one process may use SQLite; here there is only one.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from infra.settings import load
from tests.stage.broker import Client, broker_with


@asynccontextmanager
async def kafka_broker(data: Path, url: str, **flags: Any) -> AsyncIterator[Client]:
    """Run a broker on the log at `url`; `flags` are settings by field name."""
    given = {"kafka_prefix": f"test-{secrets.token_hex(4)}", "partitions": 4, "session": "3s", **flags}
    settings = load({"data": data, "port": 0, "free_disk": "1MB", "heartbeat": "500ms", **given})
    async with broker_with(settings.model_copy(update={"log": url})) as client:
        yield client
