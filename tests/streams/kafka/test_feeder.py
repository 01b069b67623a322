"""What the `alerts` topic is fed when an alert is larger than any message."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from rules.alerting.alert import Alert, Notification
from storage import alerts
from storage.store import Store
from streams.embedded.log import EmbeddedLog, LogPlan
from streams.kafka.feeder import Feeder
from streams.log import LogAway, LogRefused
from streams.positions import RunHold
from streams.topics import ALERTS
from tests.stage.patience import eventually
from tests.storage.database import opened as database
from tests.streams.embedded.stage import SettableClock

LARGE = "\x01" * 400_000
"""Six times as long as JSON."""


def told(number: int, key: dict[str, Any], event: dict[str, Any], message: str = "hot") -> Notification:
    alert = Alert(
        f"a{number}", "r", 1, "w", "d", key, "firing", "warning", message, number, event, f"{number:032x}"
    )
    return Notification(f"n{number}", alert, "firing", number)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with database(tmp_path / "sluice.db") as store:
        yield store


@pytest_asyncio.fixture
async def log(tmp_path: Path) -> AsyncIterator[EmbeddedLog]:
    log = await EmbeddedLog.open(LogPlan(tmp_path / "log", (ALERTS,), 1), SettableClock(1))
    yield log
    await log.close()


async def fed(log: EmbeddedLog, store: Store, *notifications: Notification) -> list[dict[str, Any]]:
    """Return what readers get of some notifications."""
    store.write(lambda c: alerts.keep(c, [], list(notifications))).result(10)
    feeder = Feeder(log, store, RunHold(1), lambda: True)
    while await feeder.feed():
        pass
    return [json.loads(message.payload) for message in await log.fetch(ALERTS, 0, 0, 10**9)]


async def test_a_large_alert_comes_without_what_made_it_large_and_holds_up_nobody(
    log: EmbeddedLog, store: Store
) -> None:
    found = await fed(
        log,
        store,
        told(0, {}, {"n": 0}),
        told(1, {"k": "a"}, {"text": LARGE}),
        told(2, {"k": LARGE}, {"k": LARGE}),
        told(3, {"k": LARGE}, {"k": LARGE}, LARGE),
        told(4, {}, {"n": 4}),
    )
    assert [one["id"] for one in found] == [f"n{n}" for n in range(5)]
    assert [one.get("omitted") for one in found] == [
        None,
        ["event"],
        ["event", "key"],
        ["event", "key", "message"],
        None,
    ]
    assert found[1]["data"]["key"] == {"k": "a"}
    assert all(name not in one["data"] for one in found for name in one.get("omitted", ()))
    assert [one["data"]["id"] for one in found] == [f"a{n}" for n in range(5)]
    assert found[4]["data"]["event"] == {"n": 4}


@pytest.mark.parametrize(("error", "heard"), [(LogRefused("too large"), True), (LogAway("gone"), False)])
async def test_what_the_log_refuses_is_said_aloud(
    log: EmbeddedLog,
    store: Store,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: LogRefused,
    heard: bool,
) -> None:
    tried = asyncio.Event()

    async def refused() -> bool:
        tried.set()
        raise error

    feeder = Feeder(log, store, RunHold(1), lambda: True)
    monkeypatch.setattr(feeder, "feed", refused)
    with caplog.at_level(logging.DEBUG, "streams.kafka.feeder"):
        running = asyncio.create_task(feeder.run())
        await asyncio.wait_for(tried.wait(), 10)
        await eventually(lambda: str(error) in caplog.text)
        running.cancel()
    assert any(one.levelno >= logging.WARNING for one in caplog.records) is heard
