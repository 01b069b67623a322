"""What one process stored, another hears of: waiters are answered, the backlog goes down, judges go on."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rules.envelope import EVENT, PERSIST
from storage import offsets
from storage.offsets import Token
from storage.writes import Outcome
from streams import receipts as receipts_module
from streams.awaiting import on_loop
from streams.kafka import progress
from streams.kafka.log import KafkaLog
from streams.kafka.progress import Progress
from streams.kafka.provision import TopicPlan
from streams.receipts import Receipts, Told
from streams.topics import EVENTS, RECEIPTS, WRITES
from tests.engines.kafka_stage import a_plan, opened
from tests.stage.patience import eventually
from tests.storage.database import opened as database

TOPICS = (TopicPlan(WRITES), TopicPlan(EVENTS), TopicPlan(RECEIPTS, 3_600_000))
OUTCOME = Outcome("w1", 0, 1, "w", "d", 1, PERSIST | EVENT, 1, 0, 0)


def nobody(_: set[str]) -> None:
    """Who has new alerts is told to nobody."""


async def test_a_receipt_reaches_another_process_before_it_asks_the_store(
    data: Path, servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "ASK_EVERY", 60.0)
    monkeypatch.setattr(receipts_module, "ASK_EVERY", 60.0)
    plan = a_plan(servers, topics=TOPICS, quick=frozenset({RECEIPTS}))
    with database(data / "sluice.db") as store:
        async with opened(plan) as storing, opened(plan) as waiting:

            async def ask(write_ids: Sequence[str]) -> Told:
                return Told([OUTCOME] if stored and "w1" in write_ids else [], [])

            stored = False
            here, there = Receipts(4), Receipts(4, ask)
            running = [
                asyncio.create_task(Progress(storing, store, here, nobody).run()),
                asyncio.create_task(Progress(waiting, store, there, nobody).run()),
            ]
            answered = there.expect("w1", 1)
            stored = True

            def stored_and_heard() -> bool:
                # the one that listens has begun by and by: a receipt of before is not for it
                here.stored(2, here.committed(2) + 1, [OUTCOME])
                return there.committed(2) > 0

            await eventually(stored_and_heard, 30.0)
            assert (await asyncio.wait_for(answered, 30.0)) == [OUTCOME]
            assert there.committed(1) == 0
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def test_what_no_receipt_told_the_store_tells(data: Path, servers: str) -> None:
    plan = a_plan(servers, topics=TOPICS)
    with database(data / "sluice.db") as store:
        async with opened(plan) as log:
            receipts = Receipts(4)
            running = asyncio.create_task(Progress(log, store, receipts, nobody).run())
            await stored_up_to(store, log, 3, 17)
            await eventually(lambda: receipts.committed(3) == 17, 30.0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_who_has_new_alerts_is_told_to_the_others_and_not_to_oneself(data: Path, servers: str) -> None:
    plan = a_plan(servers, topics=TOPICS, quick=frozenset({RECEIPTS}))
    with database(data / "sluice.db") as store:
        async with opened(plan) as raising, opened(plan) as listening:
            mine: list[set[str]] = []
            theirs: list[set[str]] = []
            here = Progress(raising, store, Receipts(4), mine.append)
            there = Progress(listening, store, Receipts(4), theirs.append)
            running = [asyncio.create_task(one.run()) for one in (here, there)]

            def raised_and_heard() -> bool:
                here.raised({"a", "b"})
                here.raised({"c"})
                return set().union(*theirs) == {"a", "b", "c"}

            await eventually(raised_and_heard, 30.0)
            assert mine == []
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def stored_up_to(store: object, log: KafkaLog, partition: int, end: int) -> None:
    """Leave the offsets row as another process's persist would."""

    def body(c: object) -> None:
        place = offsets.claim(c, log.identity, "persist", partition, Token(0, 1), 0)  # type: ignore[arg-type]
        offsets.advance(c, replace(place, next=end))  # type: ignore[arg-type]

    await on_loop(store.write(body))  # type: ignore[attr-defined]
