"""THE step: what one event means for one value of a rule's key.

It serves live rules, dry runs and backtests alike, so that they can't differ: nothing enters it but its
arguments, and the same arguments give the same alerts, ids included.
"""

from dataclasses import dataclass
from typing import Any

from rules.alerting.alert import Alert, Notification
from rules.alerting.instance import Instance, full_key, instance_key
from rules.alerting.rule import Rule
from rules.envelope import Origin, Record
from rules.ids import alert_id, notification_id


@dataclass(frozen=True, slots=True)
class Cause:
    """A record that happened, stored or only published, and its place in the log."""

    workspace: str
    dataset: str
    record: Record
    origin: Origin


@dataclass(frozen=True, slots=True)
class Step:
    """What follows: the instance to remember (the one given, where nothing changed), and what it raised."""

    instance: Instance | None
    alerts: tuple[Alert, ...] = ()
    notifications: tuple[Notification, ...] = ()


def step(rule: Rule, instance: Instance | None, key_values: tuple[Any, ...], cause: Cause, now: int) -> Step:
    """Return what a record that matches `rule` brings about.

    `key_values` are the record's values of `rule.key`, null allowed; `instance` is what is remembered of
    them (found by `instance_key`), None at first. `now` is nanoseconds on the log's clock, which never goes
    back. Mode `each`: an alert, unless the last one of this rule, in any version, and key is less than the
    cooldown ago.
    """
    if instance is not None and _cooling(rule, instance, now):
        return Step(instance)
    key = dict(zip(rule.key, key_values, strict=True))
    alert = Alert(
        id=alert_id(cause.workspace, rule.id, rule.version, full_key(key_values), cause.origin),
        rule=rule.id,
        rule_version=rule.version,
        workspace=cause.workspace,
        dataset=cause.dataset,
        key=key,
        state="firing",
        severity=rule.severity,
        message=rule.template.render(rule.id, rule.severity, key, cause.record),
        at=now,
        event=cause.record,
        position=cause.origin.text(),
    )
    remembered = Instance(
        workspace=cause.workspace,
        rule=rule.id,
        key=instance_key(key_values),
        values=key,
        last_fired=now,
        last_alert=alert.id,
        fired=1 if instance is None else instance.fired + 1,
    )
    told = Notification(notification_id(alert.id, "firing", 0), alert, "firing", now)
    return Step(remembered, (alert,), (told,))


def _cooling(rule: Rule, instance: Instance, now: int) -> bool:
    return rule.cooldown_ns > 0 and now - instance.last_fired < rule.cooldown_ns
