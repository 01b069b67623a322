"""The topics there are, and which partition a record belongs to."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

from rules.ids import canonical_key
from rules.names import fold
from rules.schema.dataset import Dataset

WRITES: Final = "writes"
EVENTS: Final = "events"
RECEIPTS: Final = "receipts"
ALERTS: Final = "alerts"
"""The last two are for processes apart and for outside readers: they are there on Kafka only."""
UPLOADS: Final = "uploads"

TOPICS: Final = (WRITES, EVENTS, UPLOADS)
"""The topics of an embedded log."""


def partitions_of(dataset: Dataset, partitions: int) -> list[int]:
    """Return the partitions that a dataset's records are in."""
    if dataset.partition_by:
        return list(range(partitions))
    return [dataset_partition(dataset.workspace, dataset.made_as or dataset.name, partitions)]


@lru_cache(maxsize=65_536)
def dataset_partition(workspace: str, made_as: str, partitions: int) -> int:
    """Return the partition of all records of a dataset without `partitionBy`.

    `made_as` is the folded name the dataset was made under (or the name written to, where there is
    none), so that a rename moves nothing and a publish-only write meets the dataset made later.
    """
    return crc32(f"{fold(workspace)}/{fold(made_as)}".encode()) % partitions


def record_partition(values: Sequence[Any], partitions: int) -> int:
    """Return the partition of a record by the values of its dataset's `partitionBy` columns."""
    return crc32(canonical_key(values)) % partitions
