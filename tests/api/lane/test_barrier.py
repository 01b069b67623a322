"""Deletes and ends on their way to the log: where they go, what is said when it does not take them."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.entry.inflight import Inflight
from api.lane.barrier import Entry, append
from api.services import Services
from rules.errors import Problem
from rules.schema.declare import declare
from rules.signals import SilentMeter
from streams.backlog import Backlog
from streams.embedded.log import EmbeddedLog, LogPlan
from streams.log import Log
from streams.publisher import Publisher
from streams.topics import EVENTS, WRITES, dataset_partition, partitions_of
from streams.wire import read_envelope

PARTITIONS = 4
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
ENTRIES = [Entry(0, b"\xa1a"), Entry(3, b"\xa1b")]


async def opened(directory: Path) -> EmbeddedLog:
    plan = LogPlan(directory, (WRITES, EVENTS), PARTITIONS)
    return await EmbeddedLog.open(plan, lambda: time.time_ns() // 1_000_000)


def services(log: Log) -> Services:
    publisher = Publisher(log, Backlog(PARTITIONS, 1 << 20, 60.0), 1 << 20)
    return cast(Services, SimpleNamespace(publisher=publisher, meter=SilentMeter()))


def test_a_dataset_is_in_one_partition_or_over_all() -> None:
    one = declare("acme", {"datasetId": "Q", "schema": SCHEMA, "columnMapping": {"key": "a"}}, 1)
    assert partitions_of(one, 8) == [dataset_partition("ACME", "q", 8)]
    many = declare(
        "acme",
        {"datasetId": "Q", "schema": SCHEMA, "columnMapping": {"key": "a"}, "partitionBy": ["a"]},
        1,
    )
    assert partitions_of(many, 8) == list(range(8))


async def test_what_the_log_refused_as_a_whole_was_not_written(tmp_path: Path) -> None:
    log = await opened(tmp_path / "log")
    await log.close()
    with pytest.raises(Problem) as refused:
        await append(services(log), "acme", ENTRIES, 5.0, alone=True, told={"writeId": "w"})
    assert refused.value.code.name == "log_unavailable"
    assert "outcome" not in refused.value.extra


class SlowLog:
    """A log that is slow: its appends end when they are told to."""

    def __init__(self) -> None:
        self.partitions = PARTITIONS
        self.appended: list[asyncio.Future[int]] = []

    def append(self, topic: str, partition: int, payload: bytes) -> "asyncio.Future[int]":
        self.appended.append(asyncio.get_running_loop().create_future())
        return self.appended[-1]


async def test_where_the_answer_does_not_come_the_outcome_is_unknown_and_memory_is_held_until_it_does() -> (
    None
):
    log, inflight = SlowLog(), Inflight(1000)
    held = inflight.hold("acme", 4)
    with pytest.raises(Problem) as unknown:
        await append(
            services(cast(Log, log)), "acme", ENTRIES, 0.01, alone=True, told={"writeId": "w"}, held=held
        )
    assert unknown.value.code.name == "outcome_unknown"
    assert unknown.value.extra == {"outcome": "unknown", "writeId": "w"}
    assert unknown.value.retry_after == 1
    log.appended[0].set_result(0)
    await asyncio.sleep(0)
    assert inflight.total == 4
    log.appended[1].set_result(0)
    for _ in range(5):
        await asyncio.sleep(0)
    assert inflight.total == 0


async def test_entries_that_go_alone_share_their_envelope_with_none(tmp_path: Path) -> None:
    log = await opened(tmp_path / "log")
    made: Any = services(log)
    plain = made.publisher.publish(0, encoded("before"), "acme")
    await append(made, "acme", [Entry(0, encoded("alone"))], 5.0, alone=True, told={})
    await plain
    messages = log.read(WRITES, 0, 0, 1 << 20)
    assert [[entry.id for entry in read_envelope(m.payload).entries] for m in messages] == [
        ["before"],
        ["alone"],
    ]
    await log.close()


def encoded(name: str) -> bytes:
    from rules.envelope import Delete
    from streams.wire import encode

    return encode(Delete(name, "acme", "d", 1, 1, 0, ["k"]))
