"""SIGKILL between every two steps of the road, under load: what clients were told is what there is.

A point that is never reached proves nothing, so that its test fails.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.crash.nest import Nest
from tests.crash.point import Point
from tests.crash.report import POINT, said
from tests.crash.rig import Rig, rigged
from tests.crash.seed import SEED, shared
from tests.crash.table import POINTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALWAYS = {"write.claimed", "log.writes_torn", "persist.advanced", "judge.alerts", "rule.active_half"}
"""Those that every `make test` dies at."""
DEATHS = 30
"""Deaths over one data directory."""


class Stall:
    """The rig that tests share: a new one after `DEATHS`, and after a test that failed in it."""

    def __init__(self, nest: Nest) -> None:
        self._nest = nest
        self._stack = AsyncExitStack()
        self._rig: Rig | None = None
        self._made = 0

    async def take(self) -> Rig:
        """Return the rig; it is not kept unless it is given back."""
        rig, self._rig = self._rig, None
        if rig is None or rig.kills >= DEATHS:
            await self._stack.aclose()
            self._made += 1
            rig = await self._stack.enter_async_context(rigged(self._nest, f"{SEED}-{self._made}"))
        return rig

    def give_back(self, rig: Rig) -> None:
        """Let the next test use it."""
        self._rig = rig

    async def close(self) -> None:
        """End what runs."""
        await self._stack.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stall(nest: Nest) -> AsyncIterator[Stall]:
    made = Stall(nest)
    yield made
    await made.close()


def _parameters(first: bool) -> list[object]:
    mine = shared([point for point in POINTS if (point.reached == "first start") is first])
    marks = dict.fromkeys(ALWAYS, ())
    return [
        pytest.param(point, id=point.name, marks=marks.get(point.name, pytest.mark.crash)) for point in mine
    ]


@pytest.mark.parametrize("point", _parameters(first=False))
async def test_a_death_at_this_point_loses_doubles_and_invents_nothing(point: Point, stall: Stall) -> None:
    rig = await stall.take()
    before = rig.kills
    passing = rig.chance.randint(1, point.most)
    await rig.die_at(point, passing)
    seconds = await rig.again()
    found = await rig.audit()
    said(POINT, f"{point.name} ({passing})", rig.load.account, found, seconds, rig.kills - before)
    stall.give_back(rig)


@pytest.mark.parametrize("point", _parameters(first=True))
async def test_a_death_during_the_first_start_leaves_what_the_next_one_takes_up(
    point: Point, nest: Nest
) -> None:
    async with rigged(nest, f"{SEED}-{point.name}", first=point) as rig:
        rig.load.work()
        await rig.until_written(100)
        found = await rig.audit()
        said(POINT, point.name, rig.load.account, found, 0.0, rig.kills)
