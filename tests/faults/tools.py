"""Tools of the system that these tests need, and callers of a broker."""

import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.stage.broker import Client
from tests.stage.process import SERVE, Broker


def needed(command: str) -> str:
    """Return the path of a command; where there is none the test fails, for nothing is proven then."""
    found = shutil.which(command)
    if found is None:
        pytest.fail(f"{command} is not installed: without it this can't be proven (.ci/run installs it).")
    return found


def needs_root() -> None:
    """Fail where this is not root: nobody else may mount or trace."""
    if os.geteuid() != 0:
        pytest.fail("This must run as root: it mounts a small disk.")


def patient(env: Mapping[str, str] | None = None, command: Sequence[str] = SERVE) -> Broker:
    """Return a broker that is given time to start: the machine may be busy, or it may be traced."""
    return Broker(env, command=command, ready_within=90)


@asynccontextmanager
async def calling(broker: Broker, connections: int = 100) -> AsyncIterator[Client]:
    """Give a caller with the administrator's token."""
    timeout = aiohttp.ClientTimeout(total=120)
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield Client(broker.url, broker.token, session)
