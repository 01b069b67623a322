"""Workers that come, go and sleep, and a Kafka that does not answer: under load, and nothing is lost."""

import asyncio
import os
from http.client import HTTPConnection
from signal import SIGCONT, SIGSTOP
from time import perf_counter

from tests.crash.report import said
from tests.crash.seed import ROUNDS, SEED
from tests.crash_engines.field import KAFKA, Engines
from tests.crash_engines.rig import FieldRig, rigged
from tests.engines.quartet import TOKEN, ask
from tests.stage.patience import eventually_sync

REBALANCES, SLEEPERS, AWAY = "1, 3, 2 workers", "a worker that slept", "Kafka away"
ASLEEP = 10.0
"""Seconds that a worker sleeps, whose session is 3 s."""

UNREACHABLE = float(os.environ.get("CRASH_AWAY") or 60.0)
DEADLINE = 90.0


async def test_workers_join_and_leave_under_load(engines: Engines) -> None:
    async with rigged(engines, f"{SEED}-rebalances", workers=1) as rig:
        begin = perf_counter()
        rig.load.work(hurry=0.3)
        await rig.until_more(200)
        for _ in range(2):
            await asyncio.to_thread(rig.field.another_worker)
            await rig.until_more(200)
        leaving = rig.field.workers.pop(rig.chance.randrange(3))
        assert await asyncio.to_thread(leaving.stop) == 0
        await rig.until_more(200)
        found = await rig.audit()
        said(REBALANCES, "joined, left", rig.load.account, found, perf_counter() - begin, 0)
        leaving.close()


async def test_a_worker_that_sleeps_past_its_session_stores_nothing_when_it_wakes(engines: Engines) -> None:
    async with rigged(engines, f"{SEED}-sleepers") as rig:
        for number in range(max(1, ROUNDS // 4)):
            begin = perf_counter()
            rig.load.work(hurry=0.0)
            await rig.until_more(100)
            sleeper = rig.field.workers[rig.chance.randrange(2)]
            await asyncio.sleep(rig.chance.uniform(0.02, 1.0))
            sleeper.send(SIGSTOP)
            await asyncio.sleep(ASLEEP)
            others_stored = await rig.until_more(200)
            sleeper.send(SIGCONT)
            await rig.until_more(100)
            await asyncio.to_thread(sleeper.until_ready)
            found = await rig.audit()
            print(f"  while it slept 200 more were acknowledged in {others_stored:.1f} s")
            said(SLEEPERS, f"{number + 1}", rig.load.account, found, perf_counter() - begin, 0)


async def test_kafka_is_away_for_a_minute_and_all_recovers_alone(engines: Engines) -> None:
    async with rigged(engines, f"{SEED}-away") as rig:
        rig.load.work(hurry=0.3)
        await rig.until_more(100)
        rig.field.freeze(KAFKA)
        try:
            await asyncio.to_thread(refused, rig)
            await asyncio.sleep(UNREACHABLE)
            unready = await asyncio.to_thread(ask, rig.field.apis[0], "GET", "/ready")
            assert unready[0] == 503 and not unready[1]["parts"]["log"]["ok"]
        finally:
            rig.field.thaw(KAFKA)
        seconds = await rig.until_more(100)
        for one in rig.field.everybody:
            await asyncio.to_thread(one.until_ready)
        found = await rig.audit()
        said(AWAY, f"{UNREACHABLE:g} s", rig.load.account, found, seconds, 0)
        assert rig.load.account.answers.get(503, 0) > 0


def refused(rig: FieldRig) -> None:
    """Return once a plain write is refused at once, with 503 and whole seconds after which to come again."""

    def look() -> None:
        api = rig.field.apis[0]
        connection = HTTPConnection("127.0.0.1", api.port, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            connection.request("POST", "/v1/record/other/d", b'[{"n": 1}]', headers)
            answer = connection.getresponse()
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) >= 1
        finally:
            connection.close()

    eventually_sync(look, DEADLINE)
