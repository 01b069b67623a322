"""From a write to its webhook, at half load, against one HTTP round trip over loopback."""

import asyncio
from dataclasses import replace
from time import perf_counter

from aiohttp import ClientSession

from infra.demo_receiver import Receiver, receiving
from infra.demo_report import percentile
from tests.bench.load import Load
from tests.bench.rig import HOT, WORKSPACE, Rig, record, rig, singles
from tests.bench.row import Goal, Plan, Row

CONNECTIONS = 64
EVERY = 0.02
"""Seconds between the records that raise an alert."""

LOADED = "readings"
PROBED = "probes"


async def measure(plan: Plan) -> list[Row]:
    """Return the row."""
    seconds = plan.rounds * plan.seconds
    async with (
        receiving(Receiver()) as receiver,
        rig(allow_private_targets="true") as broker,
        ClientSession() as session,
    ):
        await _prepare(broker, receiver)
        load = Load(broker.url, singles(LOADED), broker.headers, CONNECTIONS, plan.seconds)
        full = (await broker.load(load, LOADED)).rate
        trips = await _trips(session, receiver)
        half = replace(load, seconds=seconds, delay_ms=await _delay(broker, load, full / 2))
        loading = asyncio.create_task(broker.load(half, LOADED))
        took = await _probed(broker, receiver, seconds - 0.5)
        under = await loading
    p50, p99 = (percentile(took, share) * 1e3 for share in (0.5, 0.99))
    trip50, trip99 = (percentile(trips, share) * 1e3 for share in (0.5, 0.99))
    figures = {
        "p50 ms": p50,
        "p99 ms": p99,
        "max ms": max(took) * 1e3,
        "round trip p50 ms": trip50,
        "round trip p99 ms": trip99,
        "load, records/s": under.answered.rate,
        "full load, stored/s": full,
        "notifications": float(len(took)),
    }
    goal = Goal(50, 15, larger=False, unit=" ms")
    against = "one loopback HTTP round trip"
    work = "write to webhook received, at half load, p99"
    return [Row("webhook", work, against, (p99 / trip99,), goal, figures, value=p99)]


async def _prepare(broker: Rig, receiver: Receiver) -> None:
    await broker.rule(LOADED)
    rule = {"id": "probe", "on": PROBED, "where": f"temp > {HOT}"}
    await broker.ask("POST", f"/v1/rules/{WORKSPACE}", rule)
    wanted = {"kind": "webhook", "url": receiver.url, "rules": ["probe"]}
    receiver.secret = (await broker.ask("POST", f"/v1/subscriptions/{WORKSPACE}", wanted))["secret"]


async def _delay(broker: Rig, load: Load, rate: float) -> int:
    """Return the pause in ms after each answer with which the connections come to `rate`; tried once."""
    wanted = CONNECTIONS / rate * 1e3
    first = max(1, round(wanted))
    got = (
        CONNECTIONS
        / (await broker.load(replace(load, seconds=1, delay_ms=first), LOADED)).answered.rate
        * 1e3
    )
    return max(1, round(first + wanted - got))


async def _trips(session: ClientSession, receiver: Receiver) -> list[float]:
    """Return the seconds of each of 300 round trips to the receiver, which refuses them unsigned."""
    took = []
    for _ in range(300):
        begun = perf_counter()
        async with session.post(receiver.url, data=b"{}") as answer:
            await answer.read()
        took.append(perf_counter() - begun)
    receiver.forged = 0
    return took


async def _probed(broker: Rig, receiver: Receiver, seconds: float) -> list[float]:
    """Write a record that raises an alert every 20 ms, and return the seconds until each one's webhook."""
    sent: dict[int, float] = {}
    loop = asyncio.get_running_loop()
    begun = loop.time()
    writes: list[asyncio.Task[object]] = []
    while (now := loop.time()) < begun + seconds:
        number = len(sent)
        body = {**record(number), "temp": HOT + 1, "serial": number}
        sent[number] = perf_counter()
        writes.append(asyncio.create_task(broker.ask("POST", f"/v1/record/{WORKSPACE}/{PROBED}", body)))
        await asyncio.sleep(max(0.0, begun + (number + 1) * EVERY - now))
    await asyncio.gather(*writes)
    async with asyncio.timeout(30):
        await receiver.until(len(sent))
    if receiver.forged or receiver.repeated:
        raise RuntimeError(f"{receiver.forged} webhooks were badly signed, {receiver.repeated} came twice.")
    return [arrival.at - sent[arrival.alert["event"]["serial"]] for arrival in receiver.arrivals.values()]
