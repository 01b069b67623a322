"""What the rules paths of Apperate show: rules with their counts, what conditions may name, alerts."""

from typing import Any, Final

from sqlalchemy import Connection

from api.apperate.translate import OPERATORS
from rules.alerting.rule import Rule
from rules.schema.dataset import Column, ColumnType, Dataset
from rules.schema.moments import format_moment
from storage import datasets
from storage.instances import Fired

MOST: Final = 10_000
"""Entries that a schema or a look-up shows."""
RULE_SET: Final = "ruleSet"
"""What can be looked up: the datasets that a rule may watch."""

_TYPES: Final = {
    ColumnType.INTEGER: "number",
    ColumnType.UNSIGNED: "number",
    ColumnType.NUMBER: "number",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.DATE: "date",
    ColumnType.DATETIME: "date",
}
_TEXT: Final = {"type": "string"}
_EVERY: Final = {"type": "integer", "minimum": 0, "description": "Seconds between two alerts of a key."}
_OUTPUTS: Final[tuple[tuple[str, str, dict[str, Any], list[str]], ...]] = (
    ("webhook", "Webhook", {"url": _TEXT, "frequency": _EVERY}, ["url"]),
    ("email", "E-mail", {"to": _TEXT, "message": _TEXT, "frequency": _EVERY}, ["to"]),
    ("logs", "Kept, to be read", {"frequency": _EVERY}, []),
)

STATUS: Final = {
    "id": "d673e169-0d4b-4b1c-9a53-5f1c2d3e4b5a",
    "name": "Simple Rule",
    "dateCreated": "2026-11-21",
    "dateUpdated": "2026-11-21",
    "isActive": True,
    "ran": None,
    "passed": None,
    "failed": None,
    "sent": 52,
    "evaluated": 1677515098059,
}
ALERTS: Final = [
    {"id": "2b7d…", "rule": STATUS["id"], "key": {"symbol": "AAPL"}, "event": {"symbol": "AAPL"}}
]
SCHEMA: Final = {
    "schema": [{"label": "quotes: latestPrice", "value": "latestPrice", "type": "number", "scope": "quotes"}],
    "notificationTypes": [{"label": "Webhook", "value": "webhook", "enabled": True}],
    "operators": {"number": [{"label": ">", "value": ">"}]},
}


def status(rule: Rule, fired: Fired | None) -> dict[str, Any]:
    """Return a rule as `rules/info` shows it.

    What is not counted is null: rules are found by an index, so nobody counts those that did not pass.
    `evaluated` is when it last raised an alert, in ms since 1970.
    """
    return {
        "id": rule.id,
        "name": rule.title or rule.id,
        "dateCreated": format_moment(rule.created_at)[:10],
        "dateUpdated": format_moment(rule.updated_at)[:10],
        "isActive": rule.state == "active",
        "ran": None,
        "passed": None,
        "failed": None,
        "sent": 0 if fired is None else fired.times,
        "evaluated": 0 if fired is None else fired.last // 1_000_000,
    }


def schema(connection: Connection, workspace: str) -> dict[str, Any]:
    """Return what rules of a workspace can be made of: columns, outputs, operators by type."""
    told = [_entry("Dataset", RULE_SET, "string", "", lookup=True)]
    for dataset in datasets.listing(connection, workspace):
        told += [_of_column(dataset, column) for column in dataset.columns]
    return {
        "schema": told[:MOST],
        "notificationTypes": [
            {
                "label": label,
                "value": value,
                "weight": 0,
                "enabled": value != "email",
                "schema": {"type": "object", "properties": properties, "required": required},
            }
            for value, label, properties, required in _OUTPUTS
        ],
        "operators": {
            kind: [{"label": sign, "value": sign} for sign in signs] for kind, signs in OPERATORS.items()
        },
    }


def choices(connection: Connection, workspace: str, value: str) -> list[dict[str, Any]] | None:
    """Return what may be said for `ruleSet`: the datasets; None for anything else."""
    if value != RULE_SET:
        return None
    names = [dataset.name for dataset in datasets.listing(connection, workspace)[:MOST]]
    return [
        {"value": name, "label": name, "type": "string", "formula": None, "scope": workspace}
        for name in names
    ]


def _of_column(dataset: Dataset, column: Column) -> dict[str, Any]:
    kind = _TYPES.get(column.type, "string")
    return _entry(f"{dataset.name}: {column.name}", column.name, kind, dataset.name, lookup=False)


def _entry(label: str, value: str, kind: str, scope: str, *, lookup: bool) -> dict[str, Any]:
    own = {"label": label, "value": value, "type": kind, "scope": scope}
    return {**own, "isLookup": lookup, "weight": 0, "weightKey": value}
