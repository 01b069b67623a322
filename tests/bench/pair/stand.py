"""A Kafka and a PostgreSQL, and brokers on them, each over a log and a database of its own."""

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from aiohttp import ClientSession

from infra.dev.engines import bring_down, bring_up
from tests.bench.rig import Rig
from tests.stage.process import Broker

TOKEN: Final = "sk_of-a-broker-that-is-measured"
READY_WITHIN: Final = 120.0

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Engines:
    """Where both serve: `kafka://host:port` and `postgresql://…`, and the directory of their data."""

    log: str
    database: str
    data: Path

    @property
    def servers(self) -> str:
        """Kafka's `host:port`."""
        return self.log.removeprefix("kafka://")

    def fresh(self, **settings: str) -> dict[str, str]:
        """Return the environment of a broker whose log and database nobody has used yet.

        `settings` are `SLUICE_…` in lower case.
        """
        name = f"bench{next(_numbers)}"
        database = self.make_database(name)
        own = {"log": self.log, "database": database, "kafka_prefix": name, "admin_token": TOKEN}
        return {
            f"SLUICE_{key.upper()}": value for key, value in {**own, "free_disk": "1MB", **settings}.items()
        }

    def make_database(self, name: str) -> str:
        """Make a database and return its address."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.database.rpartition("/")[0] + f"/{name}"


@contextmanager
def engines() -> Iterator[Engines]:
    """Run both over data of their own, as `sluice infra up` does."""
    data = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    data.chmod(0o755)  # PostgreSQL's user must be able to pass
    lines: list[str] = []
    try:
        bring_up(data, [], lines.append)
        where = dict(line.split("=", 1) for line in lines)
        yield Engines(where["SLUICE_LOG"], where["SLUICE_DATABASE"], data)
    finally:
        bring_down(data, [])
        shutil.rmtree(data, ignore_errors=True)


def process(env: Mapping[str, str], command: str = "serve") -> Broker:
    """Return a broker's process, or half of one (`api`, `work`), not started yet."""
    return Broker(env, command=(sys.executable, "-m", "infra.cli", command), ready_within=READY_WITHIN)


@asynccontextmanager
async def rig_of(env: Mapping[str, str], command: str = "serve") -> AsyncIterator[Rig]:
    """Run a broker and call it."""
    async with ClientSession() as session:
        with process(env, command) as broker:
            yield Rig(broker, session)
