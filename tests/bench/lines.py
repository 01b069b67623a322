"""Line protocol: to the log and to queryable beside the parser alone; and against InfluxDB 1.x."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from random import Random
from statistics import median
from time import perf_counter
from typing import Final

from aiohttp import ClientSession, ClientTimeout

from api.influx.recognise import recognise
from api.influx.skeletons import Skeletons
from rules.limits import Limits
from tests.bench.influxd import INFLUXD, influxd
from tests.bench.load import Load, Shot, run_load
from tests.bench.rig import WORKSPACE, Rig, rig
from tests.bench.row import Goal, Plan, Row, ratios

LINES: Final = 5_000
CONNECTIONS: Final = 4
SINGLES: Final = 64
_SECOND: Final = b"SSSSSSSSSS"

_moments = count(1_700_000_000)


async def measure(plan: Plan) -> list[Row]:
    """Return the rows."""
    async with rig() as broker:
        await _prepare(broker)
        query = f"/api/v2/write?org={WORKSPACE}&bucket=b"
        rows = await _alone(plan, broker, query)
        if INFLUXD is not None:
            with influxd() as other:
                rows += await _against(plan, broker, query, other)
    return rows


async def _prepare(broker: Rig) -> None:
    rule = {"id": "hot", "on": "b__cpu", "where": "usage_user > 1000", "key": ["host"]}
    await broker.ask("POST", f"/v1/rules/{WORKSPACE}", rule)


async def _alone(plan: Plan, broker: Rig, query: str) -> list[Row]:
    logged: list[float] = []
    stored: list[float] = []
    parser: list[float] = []
    await _lines(broker.url + query + "&wait=true", broker.headers, 1)
    for _ in range(plan.rounds):
        parser.append(_parsed(plan.seconds))
        logged.append(await _lines(broker.url + query, broker.headers, plan.seconds))
        await _settled(broker)
        stored.append(await _lines(broker.url + query + "&wait=true", broker.headers, plan.seconds))
    work, against = f"line protocol, {LINES:,} lines a request", "the same parser called alone"
    told = {"logged/s": median(logged), "parsed/s": median(parser)}
    return [
        Row("lines", f"{work}, to the log", against, ratios(logged, parser), Goal(0.5, 0.8), told),
        Row(
            "lines",
            f"{work}, to queryable",
            against,
            ratios(stored, parser),
            None,
            {"stored/s": median(stored)},
        ),
    ]


async def _against(plan: Plan, broker: Rig, query: str, other: str) -> list[Row]:
    theirs_url = f"{other}/write?db=b"
    ours: list[float] = []
    theirs: list[float] = []
    our_ones: list[float] = []
    their_ones: list[float] = []
    for _ in range(plan.rounds):
        theirs.append(await _lines(theirs_url, {}, plan.seconds))
        ours.append(await _lines(broker.url + query + "&wait=true", broker.headers, plan.seconds))
        their_ones.append(await _singles(Load(other, _points("/write?db=b"), {}, SINGLES, plan.seconds)))
        our_ones.append(
            await _singles(Load(broker.url, _points(query), broker.headers, SINGLES, plan.seconds))
        )
        await _settled(broker)
    server = "InfluxDB 1.x, fsync at each write"
    return [
        Row(
            "lines",
            f"one point a request, {SINGLES} connections",
            server,
            ratios(our_ones, their_ones),
            Goal(0.8, 1),
            {"ours/s": median(our_ones), "theirs/s": median(their_ones)},
        ),
        Row(
            "lines",
            f"{LINES:,} lines a request, {CONNECTIONS} connections, to queryable",
            server,
            ratios(ours, theirs),
            Goal(0.34, 1),
            {"ours/s": median(ours), "theirs/s": median(theirs)},
        ),
    ]


async def _settled(broker: Rig) -> None:
    """Wait until what was logged is stored: a point that is written behind it is."""
    async with asyncio.timeout(120):
        while await broker.accepted() != await broker.stored():
            await asyncio.sleep(0.1)


def _parsed(seconds: float) -> float:
    """Return the lines a second that the parser reads where nothing else is asked of this process."""
    known, limits, bodies = Skeletons(), Limits(), [_body(k)() for k in range(4)]
    begun = perf_counter()
    read = 0
    while (took := perf_counter() - begun) < seconds / 2:
        recognise(bodies[read % 4], 1, 0, known, limits)
        read += 1
    return read * LINES / took


async def _lines(url: str, headers: Mapping[str, str], seconds: float) -> float:
    """Return the lines a second that were answered, each request's at a second of its own."""
    answered = 0
    bodies = [_body(k) for k in range(CONNECTIONS)]
    begun = perf_counter()

    async def caller(session: ClientSession, body: Callable[[], bytes]) -> None:
        nonlocal answered
        while perf_counter() - begun < seconds:
            async with session.post(url, data=body(), headers=headers) as answer:
                if answer.status != 204:
                    raise RuntimeError(f"It was answered {answer.status}: {(await answer.read())[:300]!r}")
            answered += LINES

    async with ClientSession(timeout=ClientTimeout(total=90)) as session:
        await asyncio.gather(*(caller(session, body) for body in bodies))
    return answered / (perf_counter() - begun)


def _body(seed: int) -> Callable[[], bytes]:
    """Return a maker of bodies: two tags, two fields, the times of each in a second of its own."""
    chance = Random(seed)
    template = "".join(
        f"cpu,host=h{chance.randrange(100)},region=r{chance.randrange(10)} "
        f"usage_user={chance.random() * 100:.2f},usage_system={chance.randrange(100)}i "
        f"{_SECOND.decode()}{n * 100_000:09d}\n"
        for n in range(LINES)
    ).encode()
    return lambda: template.replace(_SECOND, b"%d" % next(_moments))


def _points(path: str) -> list[Shot]:
    chance = Random(7)
    return [
        Shot(
            path,
            f"cpu,host=h{n % 100},region=r{n % 10} usage_user={chance.random()},usage_system={n}i".encode(),
        )
        for n in range(1_000)
    ]


async def _singles(load: Load) -> float:
    return (await run_load(replace(load))).rate
