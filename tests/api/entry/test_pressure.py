"""Free disk is asked before a write is taken: what is logged already must find room to be stored."""

import time

import pytest

from api.entry.pressure import AGAIN_AFTER, DRAIN, Pressure
from rules.errors import Problem
from streams.backlog import Backlog

LEAST = 1_000


@pytest.mark.parametrize(
    ("waiting", "free", "taken"), [(0, 999, False), (0, 1_000, True), (100, 1_000, False)]
)
def test_a_write_needs_room_for_what_waits_too(waiting: int, free: int, taken: bool) -> None:
    backlog = Backlog(1, 10**9, 60.0)
    pressure = Pressure(backlog, lambda: free, LEAST)
    backlog.added(0, 0, time.monotonic(), {"w": waiting})
    if taken:
        pressure.check("w", (0,))
    else:
        with pytest.raises(Problem, match="disk_low"):
            pressure.check("w", (0,))


def test_what_was_stored_needs_no_room_any_more() -> None:
    backlog = Backlog(1, 10**9, 60.0)
    pressure = Pressure(backlog, lambda: LEAST + DRAIN * 50, LEAST)
    backlog.added(0, 0, time.monotonic(), {"w": 50})
    pressure.check("w", (0,))
    backlog.added(0, 1, time.monotonic(), {"w": 1})
    with pytest.raises(Problem, match="disk_low"):
        pressure.check("w", (0,))
    backlog.passed(0, 1)
    pressure.check("w", (0,))


def test_free_disk_is_asked_again_within_the_second_in_which_it_is_taken() -> None:
    backlog = Backlog(1, 10**9, 60.0)
    disk = [LEAST + 100 * AGAIN_AFTER]
    pressure = Pressure(backlog, lambda: disk[0], LEAST)
    written = 0
    with pytest.raises(Problem, match="disk_low"):
        while written < 1_000:
            pressure.check("w", (0,))
            backlog.added(0, written, time.monotonic(), {"w": AGAIN_AFTER})
            disk[0] -= AGAIN_AFTER
            written += 1
    before_the_last = disk[0] + AGAIN_AFTER
    assert before_the_last >= LEAST + DRAIN * (backlog.total - AGAIN_AFTER)
