"""What admission lets through."""

from collections.abc import Sequence

from msgspec import Struct

from rules.envelope import Record
from rules.errors import Refusal
from rules.schema.dataset import Dataset
from rules.schema.points import Table


class Admitted(Struct, frozen=True):
    """The records of one draft that may be written, and why the others may not.

    `dataset` is None for a publish-only write to a name that has none. `indexes` places the records in
    the request, None where they are 0, 1, 2, … Points come in `tables`, and no records then.
    """

    name: str
    dataset: Dataset | None
    records: list[Record]
    indexes: list[int] | None
    refused: int
    refusals: list[Refusal]
    tables: list[Table] = []

    @property
    def count(self) -> int:
        """How many records there are."""
        return len(self.records) + sum(len(table.lines) for table in self.tables)

    @property
    def places(self) -> Sequence[int]:
        """Where in the request they stand."""
        if self.tables:
            return [line for table in self.tables for line in table.lines]
        return range(len(self.records)) if self.indexes is None else self.indexes
