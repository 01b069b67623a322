"""Datasets whose end was never logged: the process died, or the log refused, between name and end."""

from collections.abc import Callable
from typing import Final

from rules.envelope import DatasetEnd
from rules.schema.dataset import Dataset
from storage import datasets
from storage.store import Store
from streams.awaiting import on_loop
from streams.publisher import Publisher
from streams.topics import partitions_of
from streams.wire import encode

AFTER: Final = 60.0
"""Seconds a retired dataset is left to the request that retired it."""


class Endings:
    """Logs the end of datasets that have lost their name and did not end. Persist takes repeats."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        mint: Callable[[str], str],
        clock: Callable[[], int],
        partitions: int,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._mint = mint
        self._clock = clock
        self._partitions = partitions
        self._seen: dict[int, int] = {}

    async def catch_up(self) -> None:
        """End what has been without a name since at least the look before `AFTER` seconds ago.

        Raises: Later, and Problem where the log does not take it; it is tried again the next time.
        """
        now = self._clock()
        retired = await on_loop(self._store.read(datasets.retired))
        self._seen = {one.id: self._seen.get(one.id, now) for one in retired}
        for dataset in retired:
            if now - self._seen[dataset.id] >= AFTER * 1e9:
                await self._end(dataset, now)
                self._seen[dataset.id] = now

    async def _end(self, dataset: Dataset, now: int) -> None:
        places = partitions_of(dataset, self._partitions)
        write_id = self._mint(dataset.workspace)
        for part, partition in enumerate(places):
            entry = DatasetEnd(
                write_id, dataset.workspace, dataset.name, dataset.id, dataset.version, now, part, len(places)
            )
            await self._publisher.publish(partition, encode(entry), dataset.workspace, alone=True)
