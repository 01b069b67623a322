"""What a dataset is: its columns, its identity, and how it may change."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Literal

from rules.names import fold

Mode = Literal["strict", "evolve"]

MAX_EXACT: Final = 2**53
"""The largest magnitude below which every integer is exact as an IEEE double."""

FORMER: Final = 32
"""Names that are remembered: so many renames may come between a write and its being judged."""


class ColumnType(StrEnum):
    """The type of a column's values, as they are stored and compared.

    UNTYPED is a column that was only ever null: it has no physical column until a value comes.
    ANY is a declared property without a type, or with several: any JSON value. UNSIGNED holds integers from
    0 to 2^64-1 (InfluxDB's `u`), the schema's `integer` of format `uint64`.
    """

    STRING = "string"
    INTEGER = "integer"
    UNSIGNED = "unsigned"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "date-time"
    OBJECT = "object"
    ARRAY = "array"
    ANY = "any"
    UNTYPED = "untyped"

    @property
    def nested(self) -> bool:
        """Whether values are kept as JSON text."""
        return self in (ColumnType.OBJECT, ColumnType.ARRAY, ColumnType.ANY)


@dataclass(frozen=True, slots=True)
class Column:
    """A property of a dataset's records.

    `ordinal` names the physical column (surrogates: renames cost nothing, no name collides or is
    cut) and is never used again for another property. `wide` says that an integer column accepted
    a value beyond ±2^53, after which it can't widen to number without losing digits.
    """

    name: str
    type: ColumnType
    ordinal: int
    wide: bool = False


@dataclass(frozen=True)
class Dataset:
    """One version of a dataset's catalogue entry. Immutable; a change makes the next version.

    `schema` is the JSON Schema 2020-12 of one record, declared or inferred. `key` holds the names of
    the columns whose values identify a record (key, subkey and date together, in that order; empty:
    every record is its own). `made_as` is the folded name it was made under: the partition key, kept
    over renames. `spent` is at least the ordinal of every column that was removed. `carried` is the version
    to which stored records were brought last; what was admitted under an earlier one is brought to it too.
    `former` holds the folded names it had before, oldest first, the last `FORMER` of them.
    """

    id: int
    workspace: str
    name: str
    version: int
    schema: Mapping[str, Any]
    columns: tuple[Column, ...]
    mode: Mode = "evolve"
    key: tuple[str, ...] = ()
    subkey: str | None = None
    date: str | None = None
    partition_by: tuple[str, ...] = ()
    title: str = ""
    retention: str | None = None
    made_as: str = ""
    declared: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    spent: int = 0
    carried: int = 0
    former: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by property name."""
        return {column.name: column for column in self.columns}

    @property
    def folded(self) -> str:
        """The name under which it is looked up."""
        return fold(self.name)

    def named(self, name: str) -> "Dataset":
        """Return the next version, under another name."""
        former = (*self.former, self.folded)[-FORMER:] if fold(name) != self.folded else self.former
        return replace(self, name=name, version=self.version + 1, former=former)

    def names_before(self, name: str) -> tuple[str, ...]:
        """Return the folded names that it had before this one."""
        return self.former[: self._place(name)]

    def names_since(self, name: str) -> tuple[str, ...]:
        """Return the folded names that it had after this one; the last is that which it has."""
        return (*self.former, self.folded)[self._place(name) + 1 :]

    def _place(self, name: str) -> int:
        names = (*self.former, self.folded)
        return names.index(fold(name)) if fold(name) in names else 0

    @property
    def required_key(self) -> tuple[str, ...]:
        """The columns of the key that must be present and not null in every record.

        All of them, but of an InfluxDB measurement (the label `measurement`) only the time: a point that
        lacks a tag has it absent, which is a value of its identity.
        """
        if not self.measured:
            return self.key
        return () if self.date is None else (self.date,)

    @property
    def stamp(self) -> str | None:
        """The column of a measurement's timestamps, shown with nine decimals; None in other datasets."""
        return self.date if self.measured else None

    @property
    def measured(self) -> bool:
        """Whether it is an InfluxDB measurement: its key is the time and the tags that a point has."""
        return "measurement" in self.labels

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The columns of a measurement's tags, sorted by name."""
        return tuple(sorted(name for name in self.key if name != self.date))

    @property
    def next_ordinal(self) -> int:
        return max(self.spent, *(column.ordinal for column in self.columns), 0) + 1
