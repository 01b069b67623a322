"""Retention: what is older than a dataset keeps is deleted, by a write like any other.

Nothing but persist touches dataset tables, or a repeated batch would not repeat its events.
"""

from collections.abc import Callable
from typing import Final

from rules.envelope import Delete
from rules.schema.dataset import Dataset
from rules.schema.moments import parse_duration
from streams.catalogue import Catalogue
from streams.publisher import Publisher
from streams.topics import partitions_of
from streams.wire import encode

SHARE: Final = 100
"""A dataset is swept each hundredth of what it keeps, but not more often than each minute."""

MINUTE: Final = 60 * 1_000_000_000


class Retention:
    """Appends a delete for each dataset that keeps its records for a time only."""

    def __init__(
        self,
        catalogue: Catalogue,
        publisher: Publisher,
        mint: Callable[[str], str],
        clock: Callable[[], int],
        partitions: int,
    ) -> None:
        self._catalogue = catalogue
        self._publisher = publisher
        self._mint = mint
        self._clock = clock
        self._partitions = partitions
        self._swept: dict[int, int] = {}

    async def sweep(self) -> None:
        """Delete what is too old, where it is time to.

        Raises: Problem where the log does not take it; it is tried again the next time.
        """
        now = self._clock()
        for dataset in self._catalogue.every():
            if dataset.retention is None:
                continue
            kept = parse_duration(dataset.retention)
            if now - self._swept.get(dataset.id, 0) >= max(kept // SHARE, MINUTE):
                await self._delete(dataset, now - kept, now)
                self._swept[dataset.id] = now

    async def _delete(self, dataset: Dataset, end: int, now: int) -> None:
        partitions = partitions_of(dataset, self._partitions)
        write_id = self._mint(dataset.workspace)
        for part, partition in enumerate(partitions):
            entry = Delete(
                write_id,
                dataset.workspace,
                dataset.name,
                dataset.id,
                dataset.version,
                now,
                end=end,
                part=part,
                parts=len(partitions),
                date=dataset.date or "",
            )
            await self._publisher.publish(partition, encode(entry), dataset.workspace, alone=True)
