"""What is forgotten once it is old, in bounded steps, and what stays."""

from dataclasses import replace

import pytest

from rules.alerting.alert import Alert, Notification
from rules.alerting.instance import Instance
from rules.alerting.rule import Rule, next_version
from rules.envelope import Origin
from storage import alerts, deliveries, instances, prune, rules, subscriptions
from storage.alerts import FEED_START, Raised, Wanted, raised_by
from storage.deliveries import Tried
from storage.store import Store
from tests.rules.alerting.test_subscription import read

DAY = 86_400 * 10**9
NOW = 1_000 * DAY


def raised(store: Store, at: int, *, size: int = 10, workspace: str = "w", epoch: int = 1) -> str:
    """Keep an alert with its notification, owed to the subscription `s1` and attempted once."""
    name = f"a{at}-{workspace}-{epoch}"
    event = {"x": "x" * size}
    alert = Alert(name, "r", 1, workspace, "d", {}, "firing", "info", "m", at, event, "p")
    told = Notification(name, alert, "firing", at)
    tried = Tried(name, "s1", 1, at, 500, "no", "retry", at + 1)

    def body(c: object) -> None:
        alerts.keep(c, [Raised(alert, Origin(epoch, 0, 5, 0))], [told])  # type: ignore[arg-type]
        deliveries.owe(c, [(name, "s1")], at)  # type: ignore[arg-type]
        deliveries.settle(c, [tried])  # type: ignore[arg-type]

    store.write(body).result(5)  # type: ignore[arg-type]
    return name


def left(store: Store) -> tuple[list[str], list[str], int]:
    """Return the alerts, the notifications of the feed, and how many deliveries wait."""
    listed = store.read(lambda c: alerts.listing(c, Wanted("w"))).result(5)
    told, _ = store.read(lambda c: alerts.feed(c, "w", FEED_START, 100, 10**9)).result(5)
    waiting = store.read(deliveries.waiting).result(5)
    return [a.id for a in listed.alerts], [t.id for t in told], waiting


def test_old_alerts_go_with_their_notifications_and_deliveries_and_young_ones_stay(
    store: Store,
) -> None:
    store.write(
        lambda c: subscriptions.keep(
            c, replace(read({"kind": "webhook", "url": "https://e.example/"}), workspace="w")
        )
    ).result(5)
    old, young = raised(store, NOW - 91 * DAY), raised(store, NOW - 89 * DAY)
    before = NOW - 90 * DAY
    assert store.write(lambda c: prune.notifications_before(c, before)).result(5) == 1
    assert store.write(lambda c: prune.alerts_before(c, before)).result(5) == 1
    assert left(store) == ([young], [young], 1)
    attempts = store.read(lambda c: deliveries.attempts(c, "s1", 10)).result(5)
    assert [one["notification_id"] for one in attempts] == [young]
    assert store.write(lambda c: prune.alerts_before(c, before)).result(5) == 0
    assert store.read(lambda c: alerts.feed_place(c, "w", old)).result(5) is None


def test_a_step_takes_so_many_rows_and_so_many_bytes_at_most(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.prune.STEP", 3)
    monkeypatch.setattr("storage.prune.STEP_BYTES", 5_000)
    for at in range(1, 8):
        raised(store, at, size=10 if at < 5 else 4_000)
    steps = []
    while took := store.write(lambda c: prune.alerts_before(c, NOW)).result(5):
        steps.append(took)
    assert steps == [3, 2, 1, 1]


def rule(store: Store, name: str, cooldown: str | None = None) -> Rule:
    made = Rule("w", name, 1, "d", "true", ("k",), cooldown=cooldown, created_at=1, updated_at=1)
    store.write(lambda c: rules.add_version(c, made)).result(5)
    return made


def fired(store: Store, name: str, *at: int) -> None:
    many = [Instance("w", name, b"%d" % n, {"k": n}, when, "a", 1) for n, when in enumerate(at)]
    store.write(lambda c: instances.keep(c, many)).result(5)


def forget(store: Store) -> None:
    old = store.read(lambda c: prune.instances_old(c, NOW, 90 * DAY, DAY)).result(5)
    for workspace, name, until in old:
        while store.write(lambda c: prune.instances_until(c, workspace, name, until)).result(5):  # noqa: B023
            pass


def kept(store: Store, name: str) -> list[int]:
    return [one.last_fired for one in store.read(lambda c: instances.listing(c, "w", name, 100)).result(5)]


def test_an_instance_goes_once_it_did_not_fire_for_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.prune.STEP", 2)
    rule(store, "r")
    fired(store, "r", *(NOW - days * DAY for days in (1, 89, 91, 92, 93, 400)))
    forget(store)
    assert kept(store, "r") == [NOW - DAY, NOW - 89 * DAY]


def test_an_instance_stays_while_its_rule_cools_down(store: Store) -> None:
    rule(store, "r", cooldown="365d")
    fired(store, "r", NOW - 100 * DAY, NOW - 364 * DAY, NOW - 366 * DAY)
    forget(store)
    assert kept(store, "r") == [NOW - 100 * DAY, NOW - 364 * DAY]


@pytest.mark.parametrize(("ago", "stays"), [(DAY - 1, True), (DAY + 1, False)])
def test_the_instances_of_a_deleted_rule_go_a_day_after_it(store: Store, ago: int, stays: bool) -> None:
    made = rule(store, "r", cooldown="365d")
    fired(store, "r", NOW - 2 * DAY)
    gone = next_version(made, state="deleted", updated_at=NOW - ago)
    store.write(lambda c: rules.add_version(c, gone)).result(5)
    forget(store)
    assert bool(kept(store, "r")) is stays


def test_the_alerts_of_a_write_are_those_of_its_own_log(store: Store) -> None:
    first, second = raised(store, 1, epoch=1), raised(store, 2, epoch=2)
    for epoch, mine in ((1, first), (2, second)):
        origin = Origin(epoch, 0, 5, 0)
        assert store.read(lambda c, origin=origin: raised_by(c, origin, 1)).result(5) == [mine]  # type: ignore[misc]
    assert store.read(lambda c: raised_by(c, Origin(1, 0, 5, 1), 9)).result(5) == []
