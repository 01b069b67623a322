"""SIGKILL of a worker, of an API process, of Kafka, of PostgreSQL: under load, at any moment."""

import asyncio
from time import perf_counter

import pytest

from tests.crash.report import said
from tests.crash.seed import ROUNDS, SEED
from tests.crash_engines.field import API, KAFKA, POSTGRES, WORKER, Engines
from tests.crash_engines.rig import rigged

KINDS = (WORKER, API, KAFKA, POSTGRES)
LONGEST = 2.0
"""Seconds within which the kill comes, and then the victim's return, if it does not come at once."""


@pytest.mark.parametrize("kind", KINDS)
async def test_no_kill_of_any_part_loses_doubles_or_invents_anything(kind: str, engines: Engines) -> None:
    print(f"\n  CRASH_SEED={SEED}, {ROUNDS} kills of {kind}", flush=True)
    async with rigged(engines, f"{SEED}-{kind}") as rig:
        field, chance = rig.field, rig.chance
        for number in range(ROUNDS):
            rig.load.work(hurry=chance.choice((0.0, 0.3, 1.0)))
            await rig.until_more(chance.choice((1, 30, 100)))
            # the one place where a test sleeps because the time is the point
            moment = chance.uniform(0.02, LONGEST)
            await asyncio.sleep(moment)
            begin = perf_counter()
            await asyncio.to_thread(field.kill, kind, chance.randrange(2))
            await asyncio.sleep(chance.choice((0.0, chance.uniform(0.0, LONGEST))))
            await asyncio.to_thread(field.revive)
            await rig.until_more(30)
            seconds = perf_counter() - begin
            found = await rig.audit()
            said(kind, f"{number + 1}: {moment:.2f} s", rig.load.account, found, seconds, 1)
