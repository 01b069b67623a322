"""Single-record durable writes at 64 connections, against the same server doing nothing, and FastAPI."""

from dataclasses import replace

from tests.bench.load import Load, run_load
from tests.bench.peers import peer
from tests.bench.rig import Stored, rig, singles
from tests.bench.row import Goal, Plan, Row, ratios

CONNECTIONS = 64
DATASET = "readings"


async def measure(plan: Plan, sync_ms: float) -> list[Row]:
    """Return the rows; `sync_ms` is what one fdatasync takes here."""
    ours: list[Stored] = []
    constant: list[float] = []
    echo: list[float] = []
    async with rig() as broker:
        with peer("constant") as constant_url, peer("echo") as echo_url:
            await broker.rule(DATASET)
            load = Load(broker.url, singles(DATASET), broker.headers, CONNECTIONS, plan.seconds)
            await broker.load(replace(load, seconds=1), DATASET)
            for _ in range(plan.rounds):
                constant.append((await run_load(replace(load, url=constant_url))).rate)
                ours.append(await broker.load(load, DATASET))
                echo.append((await run_load(replace(load, url=echo_url))).rate)
    return _rows(ours, constant, echo, sync_ms)


def _rows(ours: list[Stored], constant: list[float], echo: list[float], sync_ms: float) -> list[Row]:
    accepted = [one.answered.rate for one in ours]
    stored = [one.rate for one in ours]
    p99 = max(one.answered.p99 for one in ours)
    bound = max(15.0, 5 * sync_ms)
    work = f"single records, durable, {CONNECTIONS} connections"
    raw = "uvicorn, a constant from raw ASGI"
    latency = Row(
        "singles",
        f"{work}: p99",
        f"{bound:g} ms",
        (p99 / bound,),
        Goal(bound, bound, larger=False, unit=" ms"),
        {"p50 ms": _middle([one.answered.p50 for one in ours]), "p99 ms": p99},
        value=p99,
        remark="the worst round",
    )
    told = {"accepted/s": _middle(accepted), "constant/s": _middle(constant)}
    return [
        Row("singles", f"{work}: accepted", raw, ratios(accepted, constant), Goal(0.4, 0.6), told),
        Row(
            "singles",
            f"{work}: stored",
            raw,
            ratios(stored, constant),
            None,
            {"stored/s": _middle(stored)},
            remark="can be kept up",
        ),
        latency,
        Row(
            "singles",
            f"{work}: accepted",
            "FastAPI echoing the body",
            ratios(accepted, echo),
            Goal(1.5, 2.5),
            {"echo/s": _middle(echo)},
        ),
    ]


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
