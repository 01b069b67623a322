"""What a rule raises, and how it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from rules.alerting.severity import Severity
from rules.envelope import Record
from rules.errors import ALREADY_RESOLVED, Problem
from rules.schema.moments import format_moment, parse_moment

AlertState = Literal["firing", "resolved"]
Change = Literal["firing", "resolved"]

MAX_NOTE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Word that somebody has seen an alert: who (the token's title), when (ns since 1970), and their note."""

    by: str
    at: int
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return `{by, at, note}`."""
        return {"by": self.by, "at": format_moment(self.at), "note": self.note}


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing a rule found. `event` is the record, shared and never changed; `position` opaque text.

    `key` has the rule's key columns and their values. Times are nanoseconds since 1970, on the log's clock.
    """

    id: str
    rule: str
    rule_version: int
    workspace: str
    dataset: str
    key: Mapping[str, Any]
    state: AlertState
    severity: Severity
    message: str
    at: int
    event: Record
    position: str
    acknowledged: Acknowledgement | None = None
    resolved_at: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the alert as the API, the streams and the webhooks show it; `alert_from_json` inverts it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "rule": self.rule,
            "ruleVersion": self.rule_version,
            "workspace": self.workspace,
            "dataset": self.dataset,
            "key": dict(self.key),
            "state": self.state,
            "severity": self.severity,
            "message": self.message,
            "at": format_moment(self.at),
        }
        if self.resolved_at is not None:
            shown["resolvedAt"] = format_moment(self.resolved_at)
        shown["event"] = self.event
        shown["position"] = self.position
        shown["acknowledged"] = None if self.acknowledged is None else self.acknowledged.to_json()
        return shown


@dataclass(frozen=True, slots=True)
class Notification:
    """One change of an alert, with an id of its own; that of the first firing is the alert's."""

    id: str
    alert: Alert
    change: Change
    at: int


def alert_from_json(shown: Mapping[str, Any]) -> Alert:
    """Return the alert that `Alert.to_json` showed."""
    seen = shown["acknowledged"]
    resolved = shown.get("resolvedAt")
    return Alert(
        id=shown["id"],
        rule=shown["rule"],
        rule_version=shown["ruleVersion"],
        workspace=shown["workspace"],
        dataset=shown["dataset"],
        key=dict(shown["key"]),
        state=shown["state"],
        severity=shown["severity"],
        message=shown["message"],
        at=parse_moment(shown["at"]),
        event=shown["event"],
        position=shown["position"],
        acknowledged=None
        if seen is None
        else Acknowledgement(seen["by"], parse_moment(seen["at"]), seen["note"]),
        resolved_at=None if resolved is None else parse_moment(resolved),
    )


def acknowledge(alert: Alert, by: str, note: str, now: int) -> Alert:
    """Return `alert` as acknowledged; whoever acknowledges it again has the last word.

    `note` is cut to 1,000 characters.

    Raises: Problem(already_resolved).
    """
    if alert.state == "resolved":
        raise Problem(ALREADY_RESOLVED)
    return replace(alert, acknowledged=Acknowledgement(by, now, note[:MAX_NOTE]))
