"""SIGKILL at any moment, over and over: under load, idle, during a start and during a stop."""

import asyncio
from signal import SIGTERM

import pytest

from tests.crash.nest import Nest
from tests.crash.report import RANDOM, said
from tests.crash.rig import Rig, rigged
from tests.crash.seed import ERA, ROUNDS, SEED, shared

ERAS = [(number, min(ERA, ROUNDS - begin)) for number, begin in enumerate(range(0, ROUNDS, ERA))]
LONGEST = {"burst": 1.2, "idle": 0.4, "start": 2.5, "stop": 0.5}
"""Seconds within which the kill comes: from some writes, the rest, the start, the signal to stop."""


@pytest.mark.parametrize(("era", "rounds"), shared(ERAS))
async def test_no_moment_to_be_killed_at_loses_doubles_or_invents_anything(
    era: int, rounds: int, nest: Nest
) -> None:
    seed = f"{SEED}-{era}"
    print(f"\n  CRASH_SEED={SEED}, kills {era * ERA + 1} to {era * ERA + rounds}", flush=True)
    async with rigged(nest, f"{seed}-random") as rig:
        for number in range(rounds):
            kind = rig.chance.choice(("burst", "burst", "burst", "idle", "start", "stop"))
            moment = rig.chance.uniform(0.02, LONGEST[kind])
            await killed(rig, kind, moment)
            seconds = await rig.again()
            found = await rig.audit()
            said(
                RANDOM,
                f"{era * ERA + number + 1}: {kind} {moment:.2f} s",
                rig.load.account,
                found,
                seconds,
                1,
            )


async def killed(rig: Rig, kind: str, moment: float) -> None:
    """Kill the broker at a moment: the one place where a test sleeps because the time is the point."""
    if kind == "idle":
        await rig.load.rest()
    else:
        rig.load.work(hurry=rig.chance.choice((0.0, 0.3, 1.0)))
        await rig.until_written(rig.chance.choice((1, 30, 100)))
    if kind == "start":
        await asyncio.to_thread(rig.broker.kill)
        rig.broker.start(wait=False)
    elif kind == "stop":
        rig.broker.send(SIGTERM)
    await asyncio.sleep(moment)
    rig.load.alive.clear()
    await asyncio.to_thread(rig.broker.kill)
    rig.kills += 1
