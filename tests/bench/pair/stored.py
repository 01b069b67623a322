"""What a record costs where few and where many are stored already: new ones, and ones that replace others."""

import asyncio
from collections.abc import Iterator
from random import Random
from statistics import median
from typing import Any, Final

import msgspec

from rules.ids import canonical_key
from rules.schema.dataset import Dataset
from storage import datasets
from storage.postgres.copying import copy_rows
from storage.postgres.engine import PostgresStore
from storage.tables import AT, ID, KEY, physical, table_of
from tests.bench.load import Load, Shot
from tests.bench.pair.stand import Engines, rig_of
from tests.bench.rig import WORKSPACE, Rig, Stored, record
from tests.bench.row import Goal, Plan, Row, ratios

FEW: Final = 10_000
BATCH: Final = 1_000
BATCHES: Final = 64
CONNECTIONS: Final = 4
TOGETHER: Final = 100_000
PROBE: Final = "probe"
FLAT: Final = Goal(1.2, 1.05, larger=False)

SCHEMA: Final = {
    "type": "object",
    "properties": {
        "station": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "temp": {"type": "number"},
        "humidity": {"type": "number"},
        "pressure": {"type": "integer"},
        "ok": {"type": "boolean"},
    },
}


async def measure(plan: Plan, engines: Engines, many: int) -> list[Row]:
    """Return the rows; `many` rows are stored where there are many."""
    sizes = {"few": FEW, "many": many}
    env = engines.fresh()
    new: dict[str, list[Stored]] = {name: [] for name in sizes}
    over: dict[str, list[Stored]] = {name: [] for name in sizes}
    async with rig_of(env) as broker:
        for name, size in sizes.items():
            await _declare(broker, name)
            await asyncio.to_thread(prefill, env["SLUICE_DATABASE"], name, size)
        await broker.rule(PROBE)
        for turn in range(plan.rounds + 1):
            for name, size in sizes.items():
                for kind, found in ((fresh(turn), new), (replacing(turn, size), over)):
                    load = Load(broker.url, _shots(name, kind), broker.headers, CONNECTIONS, plan.seconds)
                    stored = await broker.load(load, PROBE, [name])
                    if turn:  # the first turn fills the caches of both
                        found[name].append(stored)
    return [
        _row("new records", new, many),
        _row("records that replace others", over, many),
    ]


def prefill(address: str, name: str, size: int) -> None:
    """Put rows into a dataset's table, as if they had been written."""
    store = PostgresStore(address, idle_ms=60_000)
    try:
        dataset = store.read(lambda c: datasets.find(c, WORKSPACE, name)).result(60)
        assert dataset is not None
        for first in range(0, size, TOGETHER):
            rows = _rows(dataset, range(first, min(first + TOGETHER, size)))
            store.write(lambda c: copy_rows(c, table_of(dataset), rows)).result(600)  # noqa: B023
    finally:
        store.close()


def fresh(turn: int) -> Iterator[str]:
    """Yield keys that nobody has used, in no order: each lands anywhere in the index."""
    chance = Random(f"fresh {turn}")
    while True:
        yield f"{chance.getrandbits(64):016x}"


def replacing(turn: int, size: int) -> Iterator[str]:
    """Yield keys of rows that are there, in no order."""
    chance = Random(f"replacing {turn}")
    while True:
        yield key_of(chance.randrange(size))


def key_of(number: int) -> str:
    """Return the key of a row that was put there: spread over the index."""
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"


def _shots(name: str, keys: Iterator[str]) -> list[Shot]:
    path = f"/v1/write/{WORKSPACE}/{name}?timeout=30"
    return [
        Shot(path, msgspec.json.encode([{**record(n), "station": next(keys)} for n in range(BATCH)]))
        for _ in range(BATCHES)
    ]


def _rows(dataset: Dataset, numbers: range) -> Iterator[list[Any]]:
    columns = [column.name for column in table_of(dataset).columns]
    named = {physical(column): column.name for column in dataset.columns}
    for number in numbers:
        key = key_of(number)
        value: dict[str, Any] = {
            **record(number % 1_000),
            "station": key,
            "at": 1_700_000_000_000_000_000 + number,
        }
        own = {KEY: canonical_key([key]), ID: f"p{number}", AT: 1_700_000_000_000_000_000 + number}
        yield [own[column] if column in own else value[named[column]] for column in columns]


async def _declare(broker: Rig, name: str) -> None:
    body = {"datasetId": name, "schema": SCHEMA, "columnMapping": {"key": "station"}}
    await broker.ask("POST", f"/v1/datasets/{WORKSPACE}", {"dataset": body})


def _row(what: str, found: dict[str, list[Stored]], many: int) -> Row:
    costs = {name: [one.seconds / one.records * 1e6 for one in each] for name, each in found.items()}
    cpu = {name: median(one.cpu_micros for one in each) for name, each in found.items()}
    return Row(
        "stored",
        f"{what}, {BATCH:,} a request, where {many:,} rows are stored: time a record",
        f"where {FEW:,} are",
        ratios(costs["many"], costs["few"]),
        FLAT,
        {
            "many: µs a record": median(costs["many"]),
            "few: µs": median(costs["few"]),
            "many: CPU µs": cpu["many"],
            "few: CPU µs": cpu["few"],
        },
    )
