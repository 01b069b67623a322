"""A broker of the bench's own, everything on: tokens, validation, log, store, a rule on the dataset."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from random import Random
from time import perf_counter
from typing import Any, Final

import msgspec
from aiohttp import ClientSession, ClientTimeout

from streams.topics import dataset_partition
from tests.bench.load import Answered, Load, Shot, run_load
from tests.bench.usage import cpu_seconds
from tests.stage.process import Broker

WORKSPACE: Final = "bench"
PARTITIONS: Final = 8
HOT: Final = 45.0
"""Temperature above which the rule matches; one in a hundred records is."""

_serial = count()


@dataclass(frozen=True, slots=True)
class Stored:
    """A load that was stored: what was answered, and the seconds until the last record was in the store.

    `cpu` is the seconds of CPU that the broker used for it, judging included: steadier than a rate where
    others use the machine too.
    """

    answered: Answered
    records: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Records a second, from the first request to the last record stored."""
        return self.records / self.seconds

    @property
    def cpu_micros(self) -> float:
        """Microseconds of CPU a record."""
        return self.cpu / self.records * 1e6


class Rig:
    """A running broker and a caller that is its administrator."""

    def __init__(self, broker: Broker, session: ClientSession) -> None:
        self.url = broker.url
        self.pid = broker.pid
        self.headers = {"Authorization": f"Bearer {broker.token}", "Content-Type": "application/json"}
        self._session = session

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer. Raises: RuntimeError, where it is no success."""
        data = None if body is None else msgspec.json.encode(body)
        timeout = ClientTimeout(total=90)
        async with self._session.request(
            method, self.url + path, data=data, headers=self.headers, timeout=timeout
        ) as answer:
            told = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path} was answered {answer.status}: {told[:300]!r}")
            return msgspec.json.decode(told) if told else None

    async def rule(self, dataset: str) -> None:
        """Have one rule on the dataset, with a key and a cooldown."""
        rule = {"id": f"hot-{dataset}", "on": dataset, "where": f"temp > {HOT}", "key": ["station"]}
        await self.ask("POST", f"/v1/rules/{WORKSPACE}", {**rule, "cooldown": "1h"})

    async def settled(self, ruled: str, datasets: Iterable[str]) -> float:
        """Return when (perf_counter) all that was written is stored, once it is judged too.

        A record is written to a dataset of each partition and waited for: each is stored in its order. The
        one of `ruled` raises an alert.
        """
        hot = {**record(0), "station": f"settle-{next(_serial)}", "temp": HOT + 50}
        by_partition = {dataset_partition(WORKSPACE, name, PARTITIONS): name for name in datasets}
        last = [ruled, *by_partition.values()]
        told = await asyncio.gather(
            *(self.ask("POST", f"/v1/write/{WORKSPACE}/{name}?timeout=60", hot) for name in last)
        )
        stored = perf_counter()
        async with asyncio.timeout(60):
            while not (await self.ask("GET", f"/v1/writes/{told[0]['writeId']}"))["alerts"]:
                await asyncio.sleep(0.05)
        return stored

    async def accepted(self) -> int:
        """Return how many records it took so far."""
        return await self._counter("records_accepted_total")

    async def stored(self) -> int:
        """Return how many records it stored so far."""
        return await self._counter("records_stored_total")

    async def load(self, load: Load, ruled: str, datasets: Iterable[str] = ()) -> Stored:
        """Make a load and wait until all of it is stored and judged.

        Raises: RuntimeError, where what was taken and what was stored differ.
        """
        before, used = await self.accepted(), cpu_seconds(self.pid)
        answered = await run_load(load)
        ended = perf_counter()
        taken = await self.accepted() - before
        stored = await self.settled(ruled, datasets)
        if await self.accepted() != await self.stored():
            raise RuntimeError(f"{await self.accepted()} records were taken, {await self.stored()} stored.")
        return Stored(answered, taken, answered.seconds + stored - ended, cpu_seconds(self.pid) - used)

    async def _counter(self, name: str) -> int:
        async with self._session.get(self.url + "/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith(f"sluice_{name}"))


@asynccontextmanager
async def rig(**settings: str) -> AsyncIterator[Rig]:
    """Run a broker on data of its own; `settings` are `SLUICE_…` in lower case."""
    env = {f"SLUICE_{name.upper()}": value for name, value in settings.items()}
    async with ClientSession() as session:
        with Broker({"SLUICE_FREE_DISK": "1MB", **env}) as broker:
            yield Rig(broker, session)


def record(number: int) -> dict[str, Any]:
    """Return a record of about 130 bytes, always the same for a number; one in a hundred is hot."""
    chance = Random(number)
    temp = HOT + 1 if number % 100 == 99 else round(chance.uniform(-10, 40), 2)
    return {
        "station": f"s{number % 500:03d}",
        "at": f"2026-01-{1 + number % 28:02d}T{number % 24:02d}:00:00Z",
        "temp": temp,
        "humidity": round(chance.random(), 3),
        "pressure": chance.randint(950, 1050),
        "ok": number % 7 != 0,
    }


def singles(dataset: str, records: int = 1_000) -> list[Shot]:
    """Return requests of one record each."""
    path = f"/v1/record/{WORKSPACE}/{dataset}"
    return [Shot(path, msgspec.json.encode(record(number))) for number in range(records)]
