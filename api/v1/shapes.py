"""What the control endpoints take and show, as JSON Schema for the OpenAPI document.

What is taken is described as wide as it is taken; the sentences of refusals say the rest.
"""

from typing import Final

from api.described import Words, ref
from rules.alerting.severity import SEVERITIES
from rules.schema.dataset import ColumnType
from rules.token import SCOPES

_SHOWN_SEVERITY: Final[Words] = {"type": "string", "enum": sorted(set(SEVERITIES.values()))}
_MOMENT: Final[Words] = {"type": "string", "format": "date-time"}
_PERHAPS: Final[Words] = {"type": ["string", "null"]}
_TEXTS: Final[Words] = {"type": "array", "items": {"type": "string"}}
_RECORD: Final[Words] = {"type": "object", "additionalProperties": True}
_NAME: Final = "^[A-Za-z0-9][A-Za-z0-9_]{0,63}$"


def _object(required: str, /, **properties: Words) -> Words:
    """Return the schema of an object; `required` holds names with blanks between, or `*` for all."""
    names = list(properties) if required == "*" else required.split()
    return {"type": "object", "required": names, "properties": properties}


def _listed(name: str, shape: str, **more: Words) -> Words:
    return _object("*", **{name: {"type": "array", "items": ref(shape)}}, **more)


_RULE: Final[dict[str, Words]] = {
    "id": {"type": "string", "description": "Made where none is given."},
    "on": {"type": "string", "pattern": _NAME, "description": "The dataset it judges."},
    "where": {"type": "string", "maxLength": 4096, "description": "The condition, such as temp > 30."},
    "key": {**_TEXTS, "maxItems": 32, "description": "Columns that tell one alert's subject from another's."},
    "mode": {"type": "string", "enum": ["each"]},
    "cooldown": {**_PERHAPS, "description": "60s, 5m, 2h, 7d: no second alert of a key before."},
    "severity": {"type": "string", "enum": list(SEVERITIES)},
    "notify": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 100},
    "message": {**_PERHAPS, "description": "A template: {{ station }} at {{ temp }}."},
    "title": {"type": "string", "maxLength": 256},
    "state": {"type": "string", "enum": ["active", "paused"]},
}
_SUBSCRIPTION: Final[dict[str, Words]] = {
    "kind": {"type": "string", "const": "webhook"},
    "url": {"type": "string", "maxLength": 2048, "description": "Where notifications go."},
    "rules": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "description": "Only these; null: all.",
    },
    "severities": {"type": ["array", "null"], "items": {"type": "string", "enum": list(SEVERITIES)}},
    "disabled": {**_PERHAPS, "description": "Why nothing is sent any more."},
}
_SECRET: Final[Words] = {
    "type": "string",
    "pattern": "^whsec_",
    "description": "Signs; made where none is given.",
}
_DECLARATION: Final = _object(
    "datasetId schema",
    datasetId={"type": "string", "pattern": _NAME},
    title={"type": ["string", "null"], "maxLength": 256},
    schema={"type": "object", "description": "JSON Schema 2020-12 of one record."},
    columnMapping=_object("", key={"type": ["string", "array", "null"], "items": {"type": "string"}})
    | {"additionalProperties": True},
    mode={"type": "string", "enum": ["strict", "evolve"]},
    partitionBy=_TEXTS,
    retention={**_PERHAPS, "description": "A duration such as 90d."},
)
_EVENTS: Final[Words] = {"type": "array", "items": _RECORD, "maxItems": 10_000}

SCHEMAS: Final[dict[str, Words]] = {
    "RuleGiven": _object("on where", **_RULE),
    "Rule": _object(
        "id on where key mode severity state version createdAt updatedAt",
        **_RULE,
        version={"type": "integer"},
        createdAt=_MOMENT,
        updatedAt=_MOMENT,
        warnings=_TEXTS,
    ),
    "Rules": _listed("rules", "Rule"),
    "Instance": _object(
        "*",
        rule={"type": "string"},
        key=_RECORD,
        lastFired=_MOMENT,
        lastAlert={"type": "string"},
        fired={"type": "integer"},
    ),
    "Instances": _listed("instances", "Instance"),
    "TrialGiven": _object("events", events=_EVENTS),
    "RuleTrialGiven": _object("rule events", rule=ref("RuleGiven"), events=_EVENTS),
    "Trial": _listed(
        "alerts",
        "Alert",
        errors={
            "type": "array",
            "items": _object("*", index={"type": "integer"}, message={"type": "string"}),
        },
    ),
    "Alert": _object(
        "id rule ruleVersion workspace dataset key state severity message at event position acknowledged",
        id={"type": "string"},
        rule={"type": "string"},
        ruleVersion={"type": "integer"},
        workspace={"type": "string"},
        dataset={"type": "string"},
        key=_RECORD,
        state={"type": "string", "enum": ["firing", "resolved"]},
        severity=_SHOWN_SEVERITY,
        message={"type": "string"},
        at=_MOMENT,
        resolvedAt=_MOMENT,
        event={**_RECORD, "description": "The record that raised it."},
        position={"type": "string", "description": "Opaque."},
        acknowledged={
            "oneOf": [
                {"type": "null"},
                _object("*", by={"type": "string"}, at=_MOMENT, note={"type": "string"}),
            ]
        },
    ),
    "Alerts": _listed("alerts", "Alert", next=_PERHAPS),
    "Acknowledgement": _object("", note={"type": "string", "description": "Cut to 1,000 characters."}),
    "SubscriptionGiven": _object("kind url", **_SUBSCRIPTION, secret=_SECRET),
    "SubscriptionChange": _object("", **_SUBSCRIPTION, secret=_SECRET),
    "Subscription": _object(
        "id kind url rules severities disabled createdAt",
        id={"type": "string"},
        **_SUBSCRIPTION,
        secret=_SECRET,
        createdAt=_MOMENT,
    ),
    "Subscriptions": _listed("subscriptions", "Subscription"),
    "Delivery": _object(
        "*",
        alertId={"type": "string"},
        notificationId={"type": "string"},
        attempt={"type": "integer", "description": "0: it waits for its first."},
        at={"type": ["string", "null"]},
        status={"type": ["integer", "null"], "description": "The HTTP status that came back."},
        error=_PERHAPS,
        nextAt={"type": ["string", "null"]},
        state={"type": "string"},
    ),
    "Deliveries": {"type": "array", "items": ref("Delivery")},
    "Done": _object("*", success={"type": "boolean"}, message={"type": "string"}),
    "Declaration": {"oneOf": [_object("dataset", dataset=_DECLARATION), _DECLARATION]},
    "DatasetChange": {
        **_object(
            "",
            **{name: shape for name, shape in _DECLARATION["properties"].items() if name != "datasetId"},
            existing={
                "type": "string",
                "enum": ["leave", "update", "delete", "reingest"],
                "default": "leave",
            },
        ),
        "minProperties": 1,
    },
    "Dataset": _object(
        "datasetId title workspace schema columnMapping mode partitionBy retention version columns "
        "createdOnDemand",
        datasetId={"type": "string"},
        title=_PERHAPS,
        workspace={"type": "string"},
        schema={"type": "object"},
        columnMapping={"type": "object"},
        mode={"type": "string", "enum": ["strict", "evolve"]},
        partitionBy=_TEXTS,
        retention=_PERHAPS,
        version={"type": "integer"},
        columns={
            "type": "array",
            "items": _object("*", name={"type": "string"}, type={"type": "string", "enum": list(ColumnType)}),
        },
        createdOnDemand={"type": "boolean"},
    ),
    "Datasets": _listed("datasets", "Dataset", next=_PERHAPS),
    "TokenGiven": _object(
        "workspace scopes",
        workspace={"type": "string", "pattern": _NAME},
        dataset={"type": ["string", "null"], "pattern": _NAME},
        scopes={"type": "array", "minItems": 1, "items": {"type": "string", "enum": sorted(SCOPES)}},
        title={"type": "string", "maxLength": 256},
        expires={"type": ["string", "number", "null"], "description": "RFC 3339, or seconds since 1970."},
    ),
    "TokenMade": _object("*", id={"type": "string"}, token={"type": "string"}),
    "Token": _object(
        "id workspace dataset scopes title expires",
        id={"type": "string"},
        workspace=_PERHAPS,
        dataset=_PERHAPS,
        scopes=_TEXTS,
        title={"type": "string"},
        expires=_PERHAPS,
    ),
    "Tokens": _listed("tokens", "Token"),
    "QueryGiven": _object(
        "query",
        query={"type": "string", "maxLength": 65_536, "description": "One SELECT."},
        parameters={
            "type": ["object", "null"],
            "maxProperties": 100,
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        },
    ),
    "QueryAnswer": _object(
        "*",
        columns=_TEXTS,
        rows={"type": "array", "items": {"type": "array"}},
        truncated={"type": "boolean"},
    ),
    "Write": _object(
        "writeId state receivedAt workspace dataset accepted rejected inserted replaced ignored quarantined "
        "alerts",
        writeId={"type": "string"},
        state={"type": "string", "enum": ["logged", "stored", "published", "partial", "quarantined"]},
        workspace=_PERHAPS,
        dataset=_PERHAPS,
        **{name: {"type": "integer"} for name in ("accepted", "rejected", "inserted", "replaced", "ignored")},
        quarantined={"type": "array", "items": {"type": "object"}},
        alerts=_TEXTS,
        receivedAt=_MOMENT,
        storedAt={"type": ["string", "null"]},
    ),
}
"""Every shape by its name in the document."""
