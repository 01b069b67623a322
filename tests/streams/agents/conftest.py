"""The floor the agents' tests stand on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.streams.agents.floor import Floor, floor


@pytest_asyncio.fixture
async def here(tmp_path: Path) -> AsyncIterator[Floor]:
    async with floor(tmp_path) as opened:
        yield opened
