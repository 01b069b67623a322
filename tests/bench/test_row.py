"""A row says what was measured, and whether that is what was wanted."""

import json

import pytest

from tests.bench.machine import look
from tests.bench.row import Goal, Plan, Row, ratios
from tests.bench.rules_index import measure


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (Goal(0.4, 0.6), 0.39, "missed"),
        (Goal(0.4, 0.6), 0.4, "reached"),
        (Goal(0.4, 0.6), 0.6, "dream"),
        (Goal(50, 15, larger=False), 51, "missed"),
        (Goal(50, 15, larger=False), 50, "reached"),
        (Goal(50, 15, larger=False), 15, "dream"),
    ],
)
def test_a_goal_is_missed_reached_or_more(goal: Goal, value: float, verdict: str) -> None:
    assert goal.verdict(value) == verdict


def test_the_ratio_of_a_row_is_the_median_of_its_pairs() -> None:
    row = Row("r", "this", "that", ratios([1, 2, 9], [2, 2, 3]), Goal(0.9, 2), {"a/s": 1.0})
    assert row.ratio == 1.0
    assert row.verdict == "reached"
    assert json.loads(json.dumps(row.to_json()))["ratios"] == [0.5, 1.0, 3.0]


def test_a_goal_can_be_about_a_figure_instead_of_the_ratio() -> None:
    assert Row("r", "this", "that", (100.0,), Goal(50, 15, larger=False), {}, value=20).verdict == "reached"
    assert Row("r", "this", "that", (100.0,), None, {}).verdict == "told"


def test_the_rows_of_the_rulebook_are_measured_on_events_that_are_judged_rightly() -> None:
    [row] = measure(Plan(rounds=1, seconds=0.01))
    assert row.ratio > 0
    assert row.goal is not None


def test_the_machine_is_told_with_what_a_sync_costs() -> None:
    machine = look()
    assert machine.cores >= 1
    assert 0 < machine.sync_p50 <= machine.sync_p99
