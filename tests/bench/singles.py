"""Single-record durable writes at 64 connections, against the same server doing nothing, and FastAPI."""

from dataclasses import replace
from statistics import median
from typing import NamedTuple

from tests.bench.load import Load, run_load
from tests.bench.peers import Peer, peer
from tests.bench.rig import Stored, rig, singles
from tests.bench.row import Goal, Plan, Row, ratios
from tests.bench.usage import cpu_seconds

CONNECTIONS = 64
DATASET = "readings"


async def measure(plan: Plan, sync_ms: float) -> list[Row]:
    """Return the rows; `sync_ms` is what one fdatasync takes here."""
    ours: list[Stored] = []
    constant: list[_Rate] = []
    echo: list[_Rate] = []
    async with rig() as broker:
        with peer("constant") as raw, peer("echo") as fastapi:
            await broker.rule(DATASET)
            load = Load(broker.url, singles(DATASET), broker.headers, CONNECTIONS, plan.seconds)
            await broker.load(replace(load, seconds=1), DATASET)
            for _ in range(plan.rounds):
                constant.append(await _measured(load, raw))
                ours.append(await broker.load(load, DATASET))
                echo.append(await _measured(load, fastapi))
    return _rows(ours, constant, echo, max(15.0, 5 * sync_ms))


class _Rate(NamedTuple):
    rate: float
    cpu_micros: float


async def _measured(load: Load, peer: Peer) -> _Rate:
    used = cpu_seconds(peer.pid)
    answered = await run_load(replace(load, url=peer.url))
    return _Rate(answered.rate, (cpu_seconds(peer.pid) - used) / answered.requests * 1e6)


def _rows(ours: list[Stored], constant: list[_Rate], echo: list[_Rate], bound: float) -> list[Row]:
    accepted = [one.answered.rate for one in ours]
    stored = [one.rate for one in ours]
    p99 = max(one.answered.p99 for one in ours)
    work = f"single records, durable, {CONNECTIONS} connections"
    raw = "uvicorn, a constant from raw ASGI"
    latency = Row(
        "singles",
        f"{work}: p99",
        f"{bound:g} ms",
        (p99 / bound,),
        Goal(bound, bound, larger=False, unit=" ms"),
        {"p50 ms": median([one.answered.p50 for one in ours]), "p99 ms": p99},
        value=p99,
        remark="the worst round",
    )
    to_constant, to_echo = [one.rate for one in constant], [one.rate for one in echo]
    told = {
        "accepted/s": median(accepted),
        "CPU µs a record": median(one.cpu_micros for one in ours),
        "constant/s": median(to_constant),
        "its CPU µs": median(one.cpu_micros for one in constant),
    }
    return [
        Row("singles", f"{work}: accepted", raw, ratios(accepted, to_constant), Goal(0.4, 0.6), told),
        Row(
            "singles",
            f"{work}: stored",
            raw,
            ratios(stored, to_constant),
            None,
            {"stored/s": median(stored)},
            remark="can be kept up",
        ),
        latency,
        Row(
            "singles",
            f"{work}: accepted",
            "FastAPI echoing the body",
            ratios(accepted, to_echo),
            Goal(1.5, 2.5),
            {"echo/s": median(to_echo)},
        ),
    ]
