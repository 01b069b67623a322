"""A part is well when it says so, until it says otherwise or is silent for too long."""

from datetime import UTC, datetime

import pytest

from infra.parts import Parts
from tests.stage.clock import Clock

START = datetime(2026, 1, 1, 12, 0, 0, 999_999, UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def parts(clock: Clock) -> Parts:
    return Parts(clock.seconds, START)


def test_nothing_is_ready_before_there_are_parts(parts: Parts) -> None:
    assert not parts.ready
    assert parts.report()["status"] == "unready"


def test_a_part_is_starting_until_it_says_that_it_works(parts: Parts) -> None:
    log, store = parts.register("log"), parts.register("store")
    log.ok("8 partitions")
    assert not parts.ready
    assert parts.snapshot() == {
        "log": {"ok": True, "message": "8 partitions"},
        "store": {"ok": False, "message": "starting"},
    }
    store.ok()
    assert parts.ready


def test_a_part_that_fails_does_so_until_it_says_that_it_works(parts: Parts, clock: Clock) -> None:
    persist = parts.register("persist")
    persist.ok()
    persist.failing("partition 3 stopped: 100 records were set aside in a row")
    persist.alive_until(clock.seconds() + 60)
    assert not parts.ready
    assert parts.snapshot()["persist"]["message"].startswith("partition 3 stopped")
    persist.ok()
    assert parts.ready


def test_a_part_that_promised_to_be_heard_of_is_missed(parts: Parts, clock: Clock) -> None:
    judge = parts.register("judge")
    judge.alive_until(clock.seconds() + 2)
    assert parts.ready
    clock.advance(2)
    assert parts.ready
    clock.advance(1.5)
    assert not parts.ready
    assert parts.snapshot()["judge"] == {
        "ok": False,
        "message": "silent: it should have been heard of 1.5 s ago",
    }
    judge.ok()
    assert not parts.ready, "the promise is still broken"
    judge.alive_until(clock.seconds() + 2)
    assert parts.ready


def test_a_name_is_taken_once(parts: Parts) -> None:
    parts.register("log")
    with pytest.raises(ValueError, match="'log'"):
        parts.register("log")


@pytest.mark.parametrize(
    ("seconds", "up"),
    [(0, "0s"), (59.9, "59s"), (60, "1m0s"), (885, "14m45s"), (3_600, "1h0m0s"), (90_061, "25h1m1s")],
)
def test_the_report_says_since_when_and_for_how_long(
    parts: Parts, clock: Clock, seconds: float, up: str
) -> None:
    parts.register("log").ok()
    clock.advance(seconds)
    assert parts.report() == {
        "status": "ready",
        "started": "2026-01-01T12:00:00Z",
        "up": up,
        "parts": {"log": {"ok": True, "message": ""}},
    }
