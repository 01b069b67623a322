"""A rule and one value of its key: what is remembered between two events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from rules.alerting.rule import Rule
from rules.envelope import Record
from rules.ids import canonical_key
from rules.schema.moments import format_moment

LONGEST_KEY: Final = 512
"""Bytes of a key kept as they are; of a longer one a hash is kept, as databases bound what they index."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What a rule, over all its versions, remembers of one value of its key.

    `key` is what `instance_key` makes of the values, `values` shows them by column. `last_fired` is when it
    last raised an alert, nanoseconds on the log's clock, and `last_alert` that alert's id; `fired` counts.
    """

    workspace: str
    rule: str
    key: bytes
    values: Mapping[str, Any]
    last_fired: int
    last_alert: str
    fired: int

    def to_json(self) -> dict[str, Any]:
        """Return `{rule, key, lastFired, lastAlert, fired}`, as the list of instances shows it."""
        return {
            "rule": self.rule,
            "key": dict(self.values),
            "lastFired": format_moment(self.last_fired),
            "lastAlert": self.last_alert,
            "fired": self.fired,
        }


def key_values(rule: Rule, record: Record) -> tuple[Any, ...]:
    """Return the record's values of the rule's key, in its order; absent is null."""
    return tuple(record.get(column) for column in rule.key)


def full_key(values: Sequence[Any]) -> bytes:
    """Return the canonical bytes of key values, as alert ids take them; lists and objects count as JSON."""
    return canonical_key([_flat(value) for value in values])


def instance_key(values: Sequence[Any]) -> bytes:
    """Return at most 512 bytes that tell instances of one rule apart, to find them by."""
    whole = full_key(values)
    # No canonical key starts with "h", so a hash never meets one.
    return whole if len(whole) <= LONGEST_KEY else b"h" + blake2b(whole, digest_size=32).digest()


def _flat(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return value
