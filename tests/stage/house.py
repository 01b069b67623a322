"""A broker that a whole module of tests shares, each test in a workspace of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.stage.broker import Client, running_broker
from tests.stage.stored import stored

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class House:
    """A running broker: a caller with the administrator's token, and its data directory."""

    client: Client
    data: Path

    def workspace(self) -> str:
        """Return the name of a workspace that nobody else uses."""
        return f"w{next(_numbers)}"

    def stored(self, workspace: str, dataset: str) -> list[dict[str, Any]]:
        """Return the records of a dataset, less `_id` and `_time`."""
        return [
            {name: value for name, value in record.items() if name not in ("_id", "_time")}
            for record in stored(self.data, workspace, dataset)
        ]


@asynccontextmanager
async def house(data: Path, **flags: Any) -> AsyncIterator[House]:
    """Run a broker in `data`; `flags` are settings by field name."""
    async with running_broker(data, **flags) as client:
        yield House(client, data)
