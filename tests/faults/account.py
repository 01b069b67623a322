"""Writers against a broker whose power is about to fail, and what they were told when."""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from storage import alerts
from storage.alerts import Wanted
from tests.stage.broker import Client
from tests.stage.stored import read, stored

RULE = {"id": "even", "on": "d", "where": "n % 2 == 0"}


def log_size(data: Path) -> int:
    """Return the bytes of the log's topic `writes`."""
    return sum(path.stat().st_size for path in (data / "log" / "writes").glob("*.seg"))


@dataclass
class Account:
    """Numbers of records: sent; acknowledged, with the size of the log when the answer was there."""

    data: Path
    sent: set[int] = field(default_factory=set)
    told: dict[int, int] = field(default_factory=dict)

    async def write(self, client: Client, size: int, *, wait: bool) -> int:
        """Send `size` new records and return the status, 0 where nobody answered."""
        numbers = range(len(self.sent), len(self.sent) + size)
        self.sent.update(numbers)
        path = f"/v1/{'write' if wait else 'record'}/acme/d"
        try:
            answer = await client.post(path, json=[{"n": n} for n in numbers])
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return 0
        if answer.status in (200, 202):
            self.told.update(dict.fromkeys(numbers, log_size(self.data)))
        return answer.status

    async def load(self, client: Client, tasks: int) -> None:
        """Write from several tasks until it is cancelled or the broker is gone."""
        chance = random.Random(7)

        async def one() -> None:
            while await self.write(client, chance.choice((1, 1, 3)), wait=chance.random() < 0.3):
                pass

        await asyncio.gather(*(one() for _ in range(tasks)))

    def stored(self) -> list[int]:
        """Return the numbers that are stored, sorted."""
        return sorted(record["n"] for record in stored(self.data, "acme", "d"))

    def alerted(self) -> list[int]:
        """Return the numbers of the records for which there is an alert, sorted."""
        found = read(
            self.data, lambda c: alerts.listing(c, Wanted("acme", rule="even", limit=1_000_000))
        ).alerts
        return sorted(alert.event["n"] for alert in found)

    def right(self) -> None:
        """Check that all that was acknowledged is stored and alerted, once, and nothing that was not sent."""
        found = self.stored()
        assert len(found) == len(set(found)), "some are stored twice"
        assert not self.told.keys() - set(found), "acknowledged records are lost"
        assert set(found) <= self.sent
        assert self.alerted() == [n for n in found if n % 2 == 0]
