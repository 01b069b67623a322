import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerting.alert import Alert, Notification
from rules.alerting.instance import LONGEST_KEY, Instance, instance_key, key_values
from rules.alerting.machine import Cause, Step, step
from rules.alerting.rule import Rule, next_version
from rules.envelope import Origin

SECOND = 10**9
RULE = Rule("acme", "hot", 3, "readings", "temp > 30", key=("station",), cooldown="60s", severity="error")


def cause(place: int = 1, **record: Any) -> Cause:
    return Cause("Acme", "Readings", record, Origin(1, 2, place, 0))


class Run:
    """Drives the machine as its caller does: instances by key bytes, one step an event."""

    def __init__(self) -> None:
        self.instances: dict[bytes, Instance] = {}
        self.alerts: list[Alert] = []
        self.told: list[Notification] = []

    def take(self, rule: Rule, event: Cause, now: int) -> Step:
        values = key_values(rule, event.record)
        key = instance_key(values)
        done = step(rule, self.instances.get(key), values, event, now)
        if done.instance is not None:
            self.instances[key] = done.instance
        self.alerts += done.alerts
        self.told += done.notifications
        return done


def test_an_event_raises_an_alert_that_says_all_about_it() -> None:
    done = step(RULE, None, ("Köln",), cause(station="Köln", temp=31), 5 * SECOND)
    (alert,) = done.alerts
    assert alert.to_json() == {
        "id": alert.id,
        "rule": "hot",
        "ruleVersion": 3,
        "workspace": "Acme",
        "dataset": "Readings",
        "key": {"station": "Köln"},
        "state": "firing",
        "severity": "error",
        "message": "hot: temp > 30 (station=Köln)",
        "at": "1970-01-01T00:00:05Z",
        "event": {"station": "Köln", "temp": 31},
        "position": Origin(1, 2, 1, 0).text(),
        "acknowledged": None,
    }
    assert done.notifications == (Notification(alert.id, alert, "firing", 5 * SECOND),)
    assert done.instance == Instance(
        "Acme", "hot", instance_key(("Köln",)), {"station": "Köln"}, 5 * SECOND, alert.id, 1
    )


def test_within_the_cooldown_a_key_is_silent_and_others_are_not() -> None:
    run = Run()
    run.take(RULE, cause(1, station="a"), 100 * SECOND)
    silent = run.take(RULE, cause(2, station="a"), 160 * SECOND - 1)
    assert (silent.alerts, silent.notifications) == ((), ())
    assert silent.instance is run.instances[instance_key(("a",))]
    assert run.take(RULE, cause(3, station="b"), 160 * SECOND - 1).alerts
    assert run.take(RULE, cause(4, station="a"), 160 * SECOND).alerts
    assert run.instances[instance_key(("a",))].fired == 2


def test_a_new_version_keeps_the_cooldown_and_may_bring_one() -> None:
    run = Run()
    free = Rule("acme", "hot", 1, "readings", "temp > 30", key=("station",))
    assert run.take(free, cause(1, station="a"), SECOND).alerts
    assert run.take(free, cause(2, station="a"), SECOND).alerts
    bound = next_version(free, cooldown="60s")
    assert not run.take(bound, cause(3, station="a"), 2 * SECOND).alerts
    assert not run.take(next_version(bound, where="temp > 0"), cause(4, station="a"), 60 * SECOND).alerts
    assert run.take(next_version(bound, cooldown="10s"), cause(5, station="a"), 60 * SECOND).alerts


def test_a_rule_without_a_key_cools_as_one_and_null_is_a_key() -> None:
    keyless = Rule("acme", "hot", 1, "readings", "temp > 30", cooldown="60s")
    run = Run()
    assert run.take(keyless, cause(1, station="a"), SECOND).alerts[0].key == {}
    assert not run.take(keyless, cause(2, station="b"), SECOND).alerts
    assert run.take(RULE, cause(3), SECOND).alerts[0].key == {"station": None}
    assert not run.take(RULE, cause(4, station=None), SECOND).alerts


def test_the_id_hangs_on_the_cause_and_the_version_and_nothing_else() -> None:
    def fired(rule: Rule = RULE, place: int = 1, station: Any = "a", now: int = SECOND) -> str:
        return step(rule, None, (station,), cause(place, station=station), now).alerts[0].id

    assert fired() == fired(now=99 * SECOND)
    ids = {fired(), fired(place=2), fired(station="b"), fired(next_version(RULE)), fired(station=None)}
    assert len(ids) == 5


def test_keys_of_any_kind_and_length_are_told_apart_and_bounded() -> None:
    values = [None, True, 1, "1", "x" * 600, "x" * 601, [1], {"a": 1}, ["x" * 70_000], "h"]
    keys = [instance_key((value,)) for value in values]
    assert len(set(keys)) == len(values)
    assert max(map(len, keys)) <= LONGEST_KEY
    assert instance_key((1,)) == instance_key((1.0,))
    assert instance_key(({"a": 1, "b": 2},)) == instance_key(({"b": 2, "a": 1},))
    assert step(RULE, None, (["x" * 70_000],), cause(), 0).alerts


def test_key_values_that_are_not_the_rules_are_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="zip"):
        step(RULE, None, (), cause(), 0)


events = st.lists(
    st.tuples(st.sampled_from([None, "a", "b", 1, 1.0, True]), st.integers(0, 40), st.booleans()), max_size=40
)


@given(events, st.sampled_from([None, "30s", "1m"]))
def test_alerts_of_a_key_keep_the_cooldown_apart_and_none_is_left_out(
    story: list[tuple[Any, int, bool]], cooldown: str | None
) -> None:
    rule = next_version(RULE, cooldown=cooldown)
    run, now = Run(), 0
    last: dict[str, int] = {}
    for place, (station, pause, edited) in enumerate(story):
        now += pause * SECOND
        rule = next_version(rule) if edited else rule
        name = json.dumps(float(station) if type(station) is int else station)
        due = name not in last or now - last[name] >= rule.cooldown_ns
        assert bool(run.take(rule, cause(place, station=station), now).alerts) == due
        if due:
            last[name] = now
    assert len({alert.id for alert in run.alerts}) == len(run.alerts)
    assert [one.id for one in run.told] == [alert.id for alert in run.alerts]


@given(events)
def test_the_same_story_gives_the_same_alerts(story: list[tuple[Any, int, bool]]) -> None:
    runs = Run(), Run()
    for run in runs:
        for place, (station, pause, _) in enumerate(story):
            run.take(RULE, cause(place, station=station), (place * 10 + pause) * SECOND)
    assert runs[0].alerts == runs[1].alerts
    assert runs[0].instances == runs[1].instances
