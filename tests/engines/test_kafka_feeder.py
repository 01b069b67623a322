"""The `alerts` topic misses nothing and goes on where it was, whoever feeds it."""

import json
from pathlib import Path

import pytest

from rules.alerting.alert import Alert, Notification
from storage import alerts
from storage.sqlite.engine import SqliteStore
from streams.agents.partition import Lost
from streams.kafka import feeder
from streams.kafka.feeder import Feeder
from streams.kafka.log import KafkaLog
from streams.kafka.provision import TopicPlan
from streams.positions import RunHold
from streams.topics import ALERTS
from tests.conformance.log import read_all
from tests.engines.kafka_stage import a_plan, opened
from tests.storage.database import opened as database

TOPICS = (TopicPlan(ALERTS),)


def notifications(first: int, count: int) -> list[Notification]:
    made = []
    for n in range(first, first + count):
        workspace = f"w{n % 3}"
        alert = Alert(
            f"a{n}", "r", 1, workspace, "d", {}, "firing", "warning", "hot", n, {"n": n}, f"{n:032x}"
        )
        made.append(Notification(f"n{n}", alert, "firing", n))
    return made


def kept(store: SqliteStore, first: int, count: int) -> None:
    store.write(lambda c: alerts.keep(c, [], notifications(first, count))).result(10)


async def told(log: KafkaLog) -> list[tuple[int, str]]:
    """Return partition and id of everything in the topic."""
    found = []
    for partition in range(log.partitions):
        for message in await read_all(log, ALERTS, partition, 1_000_000):
            value = json.loads(message.payload)
            assert value["data"]["id"] == value["id"].replace("n", "a")
            found.append((partition, value["id"]))
    return found


async def drained(one: Feeder) -> None:
    while await one.feed():
        pass


async def test_it_feeds_everything_in_order_and_goes_on_where_it_was(
    data: Path, servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeder, "TOGETHER", 7)
    with database(data / "sluice.db") as store:
        async with opened(a_plan(servers, topics=TOPICS)) as log:
            kept(store, 0, 40)
            await drained(Feeder(log, store, RunHold(1), lambda: True))
            kept(store, 40, 20)
            await drained(Feeder(log, store, RunHold(2), lambda: True))
            found = await told(log)
            assert sorted(int(i[1:]) for _, i in found) == list(range(60))
            for partition in range(log.partitions):
                mine = [int(i[1:]) for p, i in found if p == partition]
                assert mine == sorted(mine)


async def test_of_two_that_feed_the_older_one_lets_go_and_no_notification_is_missing(
    data: Path, servers: str
) -> None:
    with database(data / "sluice.db") as store:
        async with opened(a_plan(servers, topics=TOPICS)) as log:
            kept(store, 0, 5)
            old, new = (Feeder(log, store, RunHold(n), lambda: True) for n in (1, 2))
            await drained(old)
            kept(store, 5, 5)
            await drained(new)
            kept(store, 10, 5)
            with pytest.raises(Lost):
                await drained(old)
            await drained(new)
            assert {i for _, i in await told(log)} == {f"n{n}" for n in range(15)}
