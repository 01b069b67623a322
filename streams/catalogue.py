"""The datasets as this process knows them: a cache over the store, renewed by its revision number.

It answers from memory while the database is down; a name it does not know is asked of the store.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from sqlalchemy import Connection

from rules.errors import Later
from rules.names import fold
from rules.schema.dataset import Dataset
from storage import datasets
from storage.revision import revisions
from storage.store import Store
from streams.awaiting import on_loop

RETIRED: Final = 1_000
"""Datasets that ended last: no reading from before an end takes as long as so many others."""

PATIENCE: Final = 10.0
"""Seconds that a change waits for those before it."""


def crowded(name: str) -> Later:
    """Return what is told to whom others are always before."""
    return Later(f"too many change the dataset {name!r} at once")


class Catalogue:
    """Datasets by name and by id. Lives on one loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_name: dict[tuple[str, str], Dataset] = {}
        self._by_id: dict[int, Dataset] = {}
        self._retired: dict[int, None] = {}
        self._revision: int | None = None
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, workspace: str, name: str) -> AsyncIterator[None]:
        """Wait for those of this process who came before to change a dataset by what they read of it.

        By compare-and-set alone, of many at once each loses most of its tries. Raises: Later.
        """
        place = (fold(workspace), fold(name))
        lock = self._turns.get(place)
        if lock is None:
            lock = self._turns[place] = asyncio.Lock()
        try:
            async with asyncio.timeout(PATIENCE):
                await lock.acquire()
        except TimeoutError:
            raise crowded(name) from None
        try:
            yield
        finally:
            lock.release()

    def known(self, workspace: str, name: str) -> Dataset | None:
        """Return the dataset from memory, or None where this process does not know it (yet)."""
        return self._by_name.get((fold(workspace), fold(name)))

    async def find(self, workspace: str, name: str) -> Dataset | None:
        """Return the dataset that answers to this name, asking the store where memory does not know it."""
        dataset = self.known(workspace, name)
        if dataset is None:
            dataset = await on_loop(self._store.read(lambda c: datasets.find(c, workspace, name)))
            if dataset is not None:
                self.put(dataset)
        return dataset

    async def reload(self, workspace: str, name: str) -> None:
        """Ask the store what answers to this name now: somebody else changed it."""
        dataset = await on_loop(self._store.read(lambda c: datasets.find(c, workspace, name)))
        if dataset is None:
            self._by_name.pop((fold(workspace), fold(name)), None)
        else:
            self.put(dataset)

    async def at_least(self, dataset_id: int, version: int) -> Dataset | None:
        """Return a dataset in this version or a later one; None where its table is dropped for good."""
        dataset = self._by_id.get(dataset_id)
        if dataset is None or dataset.version < version:
            dataset = await on_loop(self._store.read(lambda c: datasets.by_id(c, dataset_id)))
            if dataset is not None:
                self._by_id[dataset.id] = dataset = self._newer(dataset)
        return dataset

    def names_since(self, dataset_id: int, name: str) -> tuple[str, ...]:
        """Return the folded names that a dataset had after this one, as far as this process knows."""
        dataset = self._by_id.get(dataset_id)
        return () if dataset is None else dataset.names_since(name)

    async def change(self, body: Callable[[Connection], Dataset | None]) -> Dataset | None:
        """Run a catalogue change in the store and know its result at once."""
        dataset = await on_loop(self._store.write(body))
        if dataset is not None:
            self.put(dataset)
        return dataset

    def put(self, dataset: Dataset) -> None:
        """Know this version, unless a later one is known."""
        known = self._by_id.get(dataset.id)
        if dataset.id not in self._retired and (known is None or known.version <= dataset.version):
            if known is not None and known.folded != dataset.folded:
                self._unname(known)
            self._by_id[dataset.id] = dataset
            self._by_name[fold(dataset.workspace), dataset.folded] = dataset

    def forget(self, dataset: Dataset) -> None:
        """The dataset does not answer to its name any more."""
        self._retired[dataset.id] = None  # what was read before, and comes after, must not bring it back
        if len(self._retired) > RETIRED:
            del self._retired[next(iter(self._retired))]
        self._by_id.pop(dataset.id, None)
        self._unname(dataset)

    def _unname(self, dataset: Dataset) -> None:
        place = (fold(dataset.workspace), dataset.folded)
        if self._by_name.get(place, dataset).id == dataset.id:
            self._by_name.pop(place, None)

    def every(self) -> list[Dataset]:
        """Return the datasets that this process knows by name."""
        return list(self._by_name.values())

    async def catch_up(self) -> None:
        """Read all datasets anew if any was changed since that was done last."""
        number = await on_loop(self._store.read(lambda c: revisions(c)["datasets"]))
        if number != self._revision:
            await self.renew()

    async def renew(self) -> None:
        """Read all datasets that answer to a name anew, and forget all others."""

        def read(c: Connection) -> tuple[int, list[Dataset]]:
            return revisions(c)["datasets"], datasets.listing(c)

        self._revision, found = await on_loop(self._store.read(read))
        newest = [self._newer(dataset) for dataset in found if dataset.id not in self._retired]
        self._by_id = {dataset.id: dataset for dataset in newest}
        self._by_name = {(fold(d.workspace), d.folded): d for d in newest}

    def _newer(self, dataset: Dataset) -> Dataset:
        """Return the version known here where a change was made while this one was read."""
        known = self._by_id.get(dataset.id)
        return dataset if known is None or known.version < dataset.version else known
