"""What is committed is counted, also where the partition is given away in the middle of the commit."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from rules.signals import Counter as Name
from rules.signals import SilentMeter
from storage.store import Store
from streams.agents.judge import Judge
from streams.agents.persist import Persist
from streams.topics import EVENTS
from tests.stage.patience import eventually
from tests.streams.agents.floor import Floor, a_write

T = TypeVar("T")

DEADLINE = 30.0


class Counts(SilentMeter):
    """A meter that keeps what was counted."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def count(self, name: Name, amount: float = 1, /, **_: str) -> None:
        self.of[name] += int(amount)


@dataclass
class HeldStore:
    """A store whose writing transactions wait, at their end, until the test lets them go on."""

    store: Store
    going_on: Event = field(default_factory=Event)
    held: Event = field(default_factory=Event)

    def write(self, body: Callable[[Connection], T]) -> "Future[T]":
        def slow(c: Connection) -> T:
            result = body(c)
            self.held.set()
            assert self.going_on.wait(DEADLINE)
            return result

        return self.store.write(slow)

    def read(self, body: Callable[[Connection], T]) -> "Future[T]":
        return self.store.read(body)

    def close(self) -> None:
        """The floor closes it."""


@pytest.mark.parametrize(
    ("role", "counted"),
    [("persist", {"records_stored_total": 2}), ("judge", {"events_judged_total": 2, "alerts_total": 1})],
)
async def test_what_a_worker_commits_while_it_gives_the_partition_away_is_counted(
    here: Floor, role: str, counted: dict[str, int]
) -> None:
    dataset = await here.dataset()
    await here.rule(id="r", on="d", where="n > 1")
    await here.written(a_write(dataset, [{"id": "a", "n": 1}, {"id": "b", "n": 2}]))
    store, meter = HeldStore(here.store), Counts()
    given = (here.log, store, here.catalogue, here.receipts, here.setting(), meter)
    step: Persist | Judge
    if role == "persist":
        step, messages = Persist(*given), await here.messages()
    else:
        await (await here.persist()).apply(0, await here.messages())
        step, messages = Judge(*given, here.raised.append), await here.messages(EVENTS)
    store.going_on.set()
    await step.claim(0)
    store.going_on.clear()
    store.held.clear()

    working = asyncio.create_task(step.apply(0, messages))
    await eventually(store.held.is_set, DEADLINE)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert working.cancelled()
    assert not meter.of, "it is not committed yet"
    store.going_on.set()
    await eventually(lambda: counted.items() <= meter.of.items(), DEADLINE)


async def test_what_is_rolled_back_is_not_counted(here: Floor) -> None:
    dataset = await here.dataset()
    await here.written(a_write(dataset, [{"id": "a", "n": 1}]))
    meter = Counts()
    persist = Persist(here.log, here.store, here.catalogue, here.receipts, here.setting(), meter)
    await persist.claim(0)
    await persist.apply(0, await here.messages())
    with pytest.raises(Exception, match="continue at 1"):
        await persist.apply(0, await here.messages())
    assert meter.of["records_stored_total"] == 1
