"""The datasets as a process knows them, when one ends and its name is taken again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.schema.dataset import ColumnType, Dataset
from rules.schema.declare import declare
from rules.schema.evolve import Additions, NewType, evolve
from storage import datasets
from storage.sqlite.engine import SqliteStore
from streams.awaiting import on_loop
from streams.catalogue import Catalogue
from tests.storage.database import opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path / "test.db") as store:
        yield store


async def made(catalogue: Catalogue) -> Dataset:
    declared = declare("w", {"datasetId": "d"}, 0)
    kept = await catalogue.change(lambda c: datasets.add(c, declared, 1))
    assert kept is not None
    return kept


async def ended(store: SqliteStore, catalogue: Catalogue, dataset: Dataset) -> None:
    assert await on_loop(store.write(lambda c: datasets.retire(c, dataset)))
    catalogue.forget(dataset)


async def test_a_reading_from_before_the_end_does_not_bring_a_dataset_back(store: SqliteStore) -> None:
    catalogue = Catalogue(store)
    old = await made(catalogue)
    await ended(store, catalogue, old)
    catalogue.put(old)  # as a look-up does that was under way meanwhile
    assert catalogue.known("w", "d") is None
    assert await catalogue.find("w", "d") is None


async def test_a_name_that_was_freed_is_that_of_its_new_dataset_at_once_and_stays_so(
    store: SqliteStore,
) -> None:
    catalogue = Catalogue(store)
    old = await made(catalogue)
    await ended(store, catalogue, old)
    new = await made(catalogue)
    assert new.id != old.id
    catalogue.put(old)
    catalogue.forget(old)
    known = catalogue.known("w", "d")
    assert known is not None and known.id == new.id
    await catalogue.renew()
    assert [dataset.id for dataset in catalogue.every()] == [new.id]


async def test_what_stands_in_the_log_for_a_dataset_that_ended_is_still_found_by_its_id(
    store: SqliteStore,
) -> None:
    catalogue = Catalogue(store)
    old = await made(catalogue)
    await ended(store, catalogue, old)
    found = await catalogue.at_least(old.id, old.version)
    assert found is not None and found.id == old.id
    assert catalogue.known("w", "d") is None


async def test_nothing_of_a_dataset_that_ended_stays_in_memory(store: SqliteStore) -> None:
    catalogue = Catalogue(store)
    old = await made(catalogue)
    await ended(store, catalogue, old)
    await catalogue.at_least(old.id, 1)  # as persist does before it applies the end
    await on_loop(store.write(lambda c: datasets.end(c, old, 0, 1)))
    await catalogue.renew()
    kept = [one for held in vars(catalogue).values() if isinstance(held, dict) for one in held.values()]
    assert not any(isinstance(one, Dataset) for one in kept)


async def test_a_catalogue_that_was_read_before_a_change_does_not_undo_it(store: SqliteStore) -> None:
    catalogue = Catalogue(store)
    old = await made(catalogue)
    new = evolve(old, Additions(columns=(NewType("a", ColumnType.INTEGER),)))
    assert new.version > old.version
    renewing = asyncio.create_task(catalogue.renew())
    await asyncio.sleep(0)  # it has handed its question over
    catalogue.put(new)
    await renewing
    known = catalogue.known("w", "d")
    assert known is not None and known.version == new.version
