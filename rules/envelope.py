"""What travels: the values that cross the log, and nothing about their bytes.

The formats are for good: a field is added at the end with a default, never removed or given another
meaning (`streams.wire` writes them in this order).
"""

from enum import IntEnum
from typing import Any, Final, NamedTuple

import msgspec

Record = dict[str, Any]

ID_FIELD: Final = "_id"
TIME_FIELD: Final = "_time"


class Origin(NamedTuple):
    """A record's place in `writes`: of all ids the one that no retry and no crash can change.

    `epoch` is a small number raised when another log is adopted. `item` counts the records of the
    envelope at `offset`, over all its writes.
    """

    epoch: int
    partition: int
    offset: int
    item: int

    def envelope(self) -> bytes:
        """Return the 12 bytes that all origins of one envelope begin with."""
        return (
            self.epoch.to_bytes(2, "big") + self.partition.to_bytes(2, "big") + self.offset.to_bytes(8, "big")
        )

    def packed(self) -> bytes:
        """Return 16 bytes that sort as the origin does: the envelope's, and 4 of the item."""
        return self.envelope() + self.item.to_bytes(4, "big")

    def text(self) -> str:
        """Return the `_id` that a record of this origin has: 32 hex digits that sort as the origin."""
        return self.packed().hex()


class Handling(IntEnum):
    """What becomes of a record whose key is stored already."""

    IGNORE = 0
    REPLACE = 1
    MERGE = 2


PERSIST: Final = 1
EVENT: Final = 2
"""Where a write goes: to the store, to the rules. A write has the one flag, the other, or both."""


class Write(msgspec.Struct, array_like=True, frozen=True, tag="w"):
    """The records of one write that go to one partition, or the `part`-th piece of them.

    `at` is the arrival in nanoseconds since 1970. `dataset_id` is 0 for a publish-only write to a name
    that has no dataset. `first` is the index of the first record in the request; `indexes` is given
    where the indexes are not consecutive. `parts` is how many parts the write has over all partitions,
    `rejected` how many of the request's records were refused at the door. A `keyed` write carried an
    Idempotency-Key and leaves an outcome row of its own. The points of a measurement travel in `columns`
    under `names` (`rules.schema.points.Table`) and not in `records`: a part has the one or the other.
    """

    id: str
    workspace: str
    dataset: str
    dataset_id: int
    version: int
    at: int
    flags: int
    handling: int
    records: list[Record]
    part: int = 0
    parts: int = 1
    first: int = 0
    indexes: list[int] | None = None
    rejected: int = 0
    keyed: bool = False
    names: list[str] = []
    columns: list[list[Any]] = []

    def index_of(self, position: int) -> int:
        """Return the index in the request of the record at `position` of this part."""
        return self.first + position if self.indexes is None else self.indexes[position]


class Delete(msgspec.Struct, array_like=True, frozen=True, tag="d"):
    """Delete what stands before it: what key values, a half-open range of time and a condition all mean.

    `key` holds values in the order of the dataset's key columns, possibly fewer (a prefix), `keys` such lists
    where there are several. `begin` and `end` are nanoseconds since 1970 against the date column or `_time`,
    made absolute before the append. `where` is a condition's source. `columns` names the key's columns that
    were meant and `date` the date column ("" for the arrival), for they may be others by now; None: unsaid.
    """

    id: str
    workspace: str
    dataset: str
    dataset_id: int
    version: int
    at: int
    key: list[Any] = []
    begin: int | None = None
    end: int | None = None
    part: int = 0
    parts: int = 1
    keyed: bool = False
    keys: list[list[Any]] = []
    where: str = ""
    columns: list[str] | None = None
    date: str | None = None


class DatasetEnd(msgspec.Struct, array_like=True, frozen=True, tag="e"):
    """The dataset is deleted: what stands before it is applied, what follows goes to quarantine."""

    id: str
    workspace: str
    dataset: str
    dataset_id: int
    version: int
    at: int
    part: int = 0
    parts: int = 1


class Redrive(msgspec.Struct, array_like=True, frozen=True, tag="q"):
    """A quarantined record tried again. `record_id` is the `_id` it had from its first origin."""

    id: str
    workspace: str
    dataset: str
    dataset_id: int
    version: int
    at: int
    quarantine_id: int
    record_id: str
    flags: int
    handling: int
    record: Record
    part: int = 0
    parts: int = 1


class Rewrite(msgspec.Struct, array_like=True, frozen=True, tag="x"):
    """The dataset changes, and with it what stands before this: `how` is `update`, `delete` or `reingest`.

    `patch` is the JSON of the change that was asked for; the version is made where this is applied.
    """

    id: str
    workspace: str
    dataset: str
    dataset_id: int
    version: int
    at: int
    how: str
    patch: str
    part: int = 0
    parts: int = 1


Entry = Write | Delete | DatasetEnd | Redrive | Rewrite
Barrier = Delete | DatasetEnd | Rewrite
"""What is applied alone, once all that stands before it is."""


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    """One message of `writes`: the entries of one partition that arrived together."""

    entries: list[Entry]


class Happened(msgspec.Struct, array_like=True, frozen=True, tag="h"):
    """Word that records of one entry happened, in the order of their origins.

    `offset` and each member of `items` complete the origin; the partition is the message's own.
    `records` are in stored form: every value as it reads back, absent columns left out, `_id` and, where
    the dataset has no date column, `_time` given.
    """

    epoch: int
    offset: int
    workspace: str
    dataset: str
    dataset_id: int
    at: int
    stored: bool
    items: list[int]
    records: list[Record]


class RuleChange(msgspec.Struct, array_like=True, frozen=True, tag="r"):
    """A version of a rule comes into force for what follows in the partition."""

    workspace: str
    rule: str
    version: int
    state: str
    definition: dict[str, Any]


class Word(msgspec.Struct, array_like=True, frozen=True):
    """One message of `events`."""

    entries: list[Happened | RuleChange]
