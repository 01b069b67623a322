"""The body of judge's transaction: what matched becomes instances, alerts, notifications, deliveries owed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from rules.alerting.alert import Notification
from rules.alerting.instance import Instance, instance_key, key_values
from rules.alerting.machine import Cause, step
from rules.alerting.rule import Rule
from rules.alerting.subscription import wants
from rules.envelope import ID_FIELD, Happened, Origin, Record
from rules.names import fold
from storage import alerts, deliveries, instances, quarantine, subscriptions
from storage.alerts import Raised
from storage.instances import InstanceKey


class Match(NamedTuple):
    """A rule that matched a record, and when on the log's clock."""

    rule: Rule
    happened: Happened
    record: Record
    origin: Origin
    now: int


def raise_alerts(c: Connection, matches: Sequence[Match], due_at: int) -> list[Notification]:
    """Take the step for each match, in order, and keep what it brings about.

    A record that the database refused had its event already (persist appends first); it raises nothing.
    """
    matches = _stored(c, matches)
    remembered: dict[InstanceKey, Instance | None] = dict(_remembered(c, matches))
    changed: dict[InstanceKey, Instance] = {}
    raised: list[Raised] = []
    told: list[tuple[Rule, Notification]] = []
    for match in matches:
        values = key_values(match.rule, match.record)
        key = (fold(match.rule.workspace), match.rule.id, instance_key(values))
        cause = Cause(match.happened.workspace, match.happened.dataset, match.record, match.origin)
        outcome = step(match.rule, remembered.get(key), values, cause, match.now)
        if outcome.instance is not None and outcome.alerts:
            remembered[key] = changed[key] = outcome.instance
        raised.extend(Raised(alert, match.origin) for alert in outcome.alerts)
        told.extend((match.rule, one) for one in outcome.notifications)
    instances.keep(c, changed.values())
    alerts.keep(c, raised, [one for _, one in told])
    deliveries.owe(c, _owed(c, told), due_at)
    return [one for _, one in told]


def _stored(c: Connection, matches: Sequence[Match]) -> Sequence[Match]:
    """Leave out the records that are set aside, under their own origin or, redriven, under their first."""
    if not matches:
        return matches
    aside = quarantine.aside(c, sorted({text for match in matches for text in _names(match)}))
    return [match for match in matches if aside.isdisjoint(_names(match))] if aside else matches


def _names(match: Match) -> tuple[str, str]:
    return match.origin.text(), str(match.record.get(ID_FIELD))


def _remembered(c: Connection, matches: Sequence[Match]) -> Mapping[InstanceKey, Instance]:
    # without a cooldown too: a later version may have one, and counts from the last alert
    wanted = {
        (fold(m.rule.workspace), m.rule.id, instance_key(key_values(m.rule, m.record))) for m in matches
    }
    return instances.find(c, wanted)


def _owed(c: Connection, told: Sequence[tuple[Rule, Notification]]) -> Iterator[tuple[str, str]]:
    listening = {w: subscriptions.listing(c, w) for w in {fold(one.alert.workspace) for _, one in told}}
    for rule, one in told:
        for subscription in listening[fold(one.alert.workspace)]:
            if wants(subscription, rule):
                yield one.id, subscription.id
