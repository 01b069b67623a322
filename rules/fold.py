"""The fold: a batch of records in log order → one change per key, counts, and what became of each.

`ON CONFLICT` refuses a batch that holds a key twice, and a merge needs what stands before it, so the
batch is folded first and the database is told only the result. Pure: what is stored comes in as values,
and what the fold foretells must be what the database then finds, else the batch is folded again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from rules.envelope import Handling, Record
from rules.errors import RECORD_TOO_LARGE, Never
from rules.schema.stored import without_nulls

_IGNORE: Final = int(Handling.IGNORE)
_MERGE: Final = int(Handling.MERGE)


class Outcome(StrEnum):
    """What became of one record."""

    INSERTED = "inserted"
    REPLACED = "replaced"
    IGNORED = "ignored"


class Present(msgspec.Struct, frozen=True, gc=False):
    """A stored row: its `_id`, its arrival in ns, and the record in stored form."""

    id: str
    at: int
    record: Record


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A record on its way into a dataset, in stored form but with explicit nulls kept (a merge sets them).

    `place` is handed back with its outcome.
    """

    key: bytes
    id: str
    at: int
    handling: int
    record: Record
    place: int


class Applied(msgspec.Struct, frozen=True, gc=False):
    """What became of the draft at `place`; `record` is as it stands after it."""

    place: int
    outcome: Outcome
    id: str
    at: int
    record: Record


@dataclass(slots=True)
class Folded:
    """One dataset's part of a batch, ready for SQL.

    `inserts` holds keys that must be absent, `updates` keys that must be present; each key is in one of
    them at most.
    """

    inserts: dict[bytes, Present] = field(default_factory=dict)
    updates: dict[bytes, Present] = field(default_factory=dict)
    applied: list[Applied] = field(default_factory=list)
    refused: dict[int, Never] = field(default_factory=dict)


def fold(drafts: Iterable[Draft], present: Mapping[bytes, Present], record_bytes: int) -> Folded:
    """Fold the drafts, in order, over the rows stored under their keys.

    A replaced or merged row keeps its `_id`. A merge whose result exceeds `record_bytes` is refused and
    leaves the row as it was.
    """
    out = Folded()
    for draft in drafts:
        stored = out.inserts.get(draft.key) or out.updates.get(draft.key) or present.get(draft.key)
        if stored is None:
            row = Present(draft.id, draft.at, without_nulls(draft.record))
            out.inserts[draft.key] = row
            out.applied.append(Applied(draft.place, Outcome.INSERTED, row.id, row.at, row.record))
            continue
        if draft.handling == _IGNORE:
            out.applied.append(Applied(draft.place, Outcome.IGNORED, stored.id, stored.at, stored.record))
            continue
        record = draft.record
        if draft.handling == _MERGE:
            record = {**stored.record, **record}
            size = len(msgspec.json.encode(record))
            if size > record_bytes:
                message = f"merged, the record has {size} bytes; {record_bytes} are allowed"
                out.refused[draft.place] = Never(RECORD_TOO_LARGE, message)
                continue
        row = Present(stored.id, draft.at, without_nulls(record))
        (out.inserts if draft.key in out.inserts else out.updates)[draft.key] = row
        out.applied.append(Applied(draft.place, Outcome.REPLACED, row.id, row.at, row.record))
    return out
