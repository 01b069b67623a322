"""Whole files by `/v1/data`, to the log and to queryable, beside their parser called alone."""

import asyncio
import csv
import io
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import ClientSession

from api.decode.sniff import HEAD, blocks_of, sniff
from rules.limits import Limits
from tests.bench.rig import WORKSPACE, Rig, record, rig
from tests.bench.row import Goal, Plan, Row, ratios
from tests.bench.usage import cpu_seconds

RECORDS: Final = 50_000
CHUNK: Final = 512 * 1024


def _csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


FORMATS: Final[Mapping[str, Callable[[list[dict[str, Any]]], bytes]]] = {
    "JSON": msgspec.json.encode,
    "JSON lines": msgspec.json.Encoder().encode_lines,
    "CSV": _csv,
}


class _Took(NamedTuple):
    """Seconds until the bytes were durable and until all records were stored; CPU seconds of the broker."""

    logged: float
    stored: float
    cpu: float


async def measure(plan: Plan) -> list[Row]:
    """Return two rows a format."""
    rows = [record(number) for number in range(RECORDS)]
    found: list[Row] = []
    async with rig() as broker, ClientSession(headers=broker.headers) as session:
        for number, (name, write) in enumerate(FORMATS.items()):
            body = write(rows)
            await _load(broker, session, f"warm{number}", body)
            alone: list[float] = []
            ours: list[_Took] = []
            for turn in range(plan.rounds):
                alone.append(RECORDS / parse(body))
                ours.append(await _load(broker, session, f"f{number}r{turn}", body))
            found += _rows(name, len(body), ours, alone)
    return found


def _rows(name: str, size: int, ours: list[_Took], alone: list[float]) -> list[Row]:
    what, against = f"a load of {RECORDS:,} records of {name}", "its parser called alone"
    logged = [RECORDS / took.logged for took in ours]
    stored = [RECORDS / took.stored for took in ours]
    fast = {"MB/s": median(size / 1e6 / took.logged for took in ours), "parsed records/s": median(alone)}
    whole = {
        "records/s": median(stored),
        "CPU µs a record": median(took.cpu / RECORDS * 1e6 for took in ours),
    }
    return [
        Row(
            f"load {name}, logged",
            f"{what}, to the log",
            against,
            ratios(logged, alone),
            Goal(0.5, 0.8),
            fast,
        ),
        Row(f"load {name}", f"{what}, to queryable", against, ratios(stored, alone), None, whole),
    ]


def parse(body: bytes) -> float:
    """Return the seconds that reading a body's records takes."""
    limits = Limits()
    begun = perf_counter()
    form = sniff(body[:HEAD], limits)
    blocks = blocks_of(form, form.begin, limits)
    read = 0
    for at in range(form.begin.at, len(body), CHUNK):
        blocks.feed(body[at : at + CHUNK])
        while (block := blocks.next()) is not None:
            read += block.read
    blocks.end()
    while (block := blocks.next()) is not None:
        read += block.read
    took = perf_counter() - begun
    if read != RECORDS:
        raise RuntimeError(f"{read} of {RECORDS} records were read.")
    return took


async def _load(broker: Rig, session: ClientSession, dataset: str, body: bytes) -> _Took:
    used, begun = cpu_seconds(broker.pid), perf_counter()
    async with session.post(f"{broker.url}/v1/data/{WORKSPACE}/{dataset}", data=body) as answer:
        told = await answer.json()
    logged = perf_counter() - begun
    while True:
        job = await broker.ask("GET", told["jobUrl"])
        if job["endedAt"]:
            break
        await asyncio.sleep(0.02)
    took = _Took(logged, perf_counter() - begun, cpu_seconds(broker.pid) - used)
    if job["ingested"] != RECORDS:
        raise RuntimeError(
            f"The load ended as {job['status']} with {job['ingested']} records: {job['message']}"
        )
    return took
