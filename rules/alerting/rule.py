"""What a rule is, and how it is read from and shown as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from rules.alerting.clauses import (
    Mode,
    State,
    read_cooldown,
    read_id,
    read_key,
    read_mode,
    read_state,
    read_where,
    refuse_others,
)
from rules.alerting.fields import members, text, texts
from rules.alerting.message import Slot, Template, TemplateError, cut, read_template
from rules.alerting.severity import Severity, read_severity
from rules.errors import BAD_RULE, Problem
from rules.limits import Limits
from rules.names import dataset_name
from rules.schema.moments import format_moment, parse_duration, parse_moment

MAX_NOTIFY: Final = 100
MAX_TITLE: Final = 256
_WHERE_SHOWN: Final = 200


@dataclass(frozen=True)
class Rule:
    """One version of a rule: which records of the dataset `on` become alerts, for whom and how often.

    `key` names the columns whose values tell one alert's subject from another's. `cooldown` is a duration
    as it was given. `notify` holds ids of subscriptions (None: every subscription that wants it). Times are
    nanoseconds since 1970.
    """

    workspace: str
    id: str
    version: int
    on: str
    where: str
    key: tuple[str, ...] = ()
    mode: Mode = "each"
    cooldown: str | None = None
    severity: Severity = "warning"
    message: str | None = None
    notify: tuple[str, ...] | None = None
    state: State = "active"
    title: str = ""
    created_at: int = 0
    updated_at: int = 0

    @cached_property
    def cooldown_ns(self) -> int:
        """Nanoseconds after an alert in which the same key raises no other; 0: none."""
        return 0 if self.cooldown is None else parse_duration(self.cooldown)

    @cached_property
    def template(self) -> Template:
        """The message, read once; without one: title or id, the condition, and the key's values."""
        if self.message is not None:
            return read_template(self.message, self.key)
        pieces: list[str | Slot] = [f"{self.title or self.id}: {cut(self.where, _WHERE_SHOWN)}"]
        for place, column in enumerate(self.key):
            pieces += [f"{', ' if place else ' ('}{column}=", Slot("key", (column,), 0)]
        return Template((*pieces, ")") if self.key else tuple(pieces))

    def to_json(self) -> dict[str, Any]:
        """Return the rule as the API shows it; `rule_from_json` is the inverse."""
        return {
            "id": self.id,
            "on": self.on,
            "where": self.where,
            "key": list(self.key),
            "mode": self.mode,
            "cooldown": self.cooldown,
            "severity": self.severity,
            "notify": None if self.notify is None else list(self.notify),
            "message": self.message,
            "title": self.title,
            "state": self.state,
            "version": self.version,
            "createdAt": format_moment(self.created_at),
            "updatedAt": format_moment(self.updated_at),
        }


def rule_from_json(workspace: str, shown: Mapping[str, Any]) -> Rule:
    """Return the rule that `Rule.to_json` showed. Trusts it: what people send goes through `read_rule`."""
    notify = shown["notify"]
    return Rule(
        workspace=workspace,
        id=shown["id"],
        version=shown["version"],
        on=shown["on"],
        where=shown["where"],
        key=tuple(shown["key"]),
        mode=shown["mode"],
        cooldown=shown["cooldown"],
        severity=shown["severity"],
        message=shown["message"],
        notify=None if notify is None else tuple(notify),
        state=shown["state"],
        title=shown["title"],
        created_at=parse_moment(shown["createdAt"]),
        updated_at=parse_moment(shown["updatedAt"]),
    )


def next_version(rule: Rule, **changes: Any) -> Rule:
    """Return the version that follows `rule`, with `changes` of its fields (`state`, `updated_at`, …)."""
    return replace(rule, version=rule.version + 1, **changes)


def read_rule(
    workspace: str,
    body: object,
    *,
    rule_id: str | None = None,
    version: int = 1,
    now: int,
    limits: Limits,
) -> Rule:
    """Return the rule that a caller declares, created and updated `now` (nanoseconds since 1970).

    `rule_id` is the id from the address, or a minted one where the body has none; a body that has another
    is refused. `version`, `createdAt`, `updatedAt` and `warnings` in the body are ignored.

    Raises: Problem: bad_rule, bad_name (id, dataset), bad_condition; where a position is known, `extra` has
    it as `position`, the offset in characters.
    """
    declared = members(body, "rule", BAD_RULE)
    refuse_others(declared)
    rule = Rule(
        workspace=workspace,
        id=read_id(declared, rule_id),
        version=version,
        on=dataset_name(text(declared, "on", BAD_RULE, most=limits.name_chars)),
        where=read_where(declared, limits),
        key=read_key(declared, limits),
        mode=read_mode(declared),
        cooldown=read_cooldown(declared),
        severity=read_severity(declared.get("severity") or "warning", BAD_RULE),
        message=text(declared, "message", BAD_RULE, most=limits.message_bytes, fallback="") or None,
        notify=texts(declared, "notify", BAD_RULE, most=MAX_NOTIFY),
        state=read_state(declared),
        title=text(declared, "title", BAD_RULE, most=MAX_TITLE, fallback=""),
        created_at=now,
        updated_at=now,
    )
    _check_message(rule, limits)
    return rule


def _check_message(rule: Rule, limits: Limits) -> None:
    size = len((rule.message or "").encode())
    if size > limits.message_bytes:
        raise Problem(BAD_RULE, f"The message has {size} bytes; {limits.message_bytes} are allowed.")
    try:
        _ = rule.template
    except TemplateError as error:
        raise Problem(BAD_RULE, f"message: {error}", extra={"position": error.at}) from None
