"""The catalogue: compare-and-set, ids that are not given twice, and tables that go with it."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect

from rules.schema.dataset import ColumnType, Dataset
from rules.schema.declare import on_demand
from rules.schema.evolve import Additions, NewType, evolve
from storage import datasets
from storage.store import Store
from tests.storage.conftest import OpenStore
from tests.storage.database import made


class Undone(Exception):
    """Raised by a body after its work, so that it is undone."""


def fresh(name: str = "d") -> Dataset:
    return on_demand("w", name, 0, Additions(columns=(NewType("a", ColumnType.INTEGER),)))


def found(store: Store, name: str = "d") -> Dataset | None:
    return store.read(lambda c: datasets.find(c, "W", name)).result(5)


def test_what_was_made_is_found_without_case(store: Store) -> None:
    dataset = made(store, "Quotes")
    assert found(store, "qUOTES") == dataset
    assert store.read(lambda c: datasets.by_id(c, dataset.id)).result(5) == dataset
    assert [d.name for d in store.read(datasets.listing).result(5)] == ["Quotes"]


def test_a_name_is_taken_once(store: Store) -> None:
    assert store.write(lambda c: datasets.add(c, fresh(), 1)).result(5) is not None
    assert store.write(lambda c: datasets.add(c, fresh("D"), 1)).result(5) is None


def test_everything_of_a_dataset_is_kept() -> None:
    dataset = replace(fresh(), id=4, title="é", retention="90d", labels={"bucket": "b"}, spent=9, key=("a",))
    assert datasets.from_json(4, datasets.to_json(dataset)) == dataset


def test_a_change_is_made_over_the_version_it_was_made_from_only(store: Store) -> None:
    dataset = made(store)
    first = evolve(dataset, Additions(columns=(NewType("a", ColumnType.INTEGER),)))
    second = evolve(dataset, Additions(columns=(NewType("b", ColumnType.STRING),)))
    assert store.write(lambda c: datasets.replace(c, dataset, first)).result(5)
    assert not store.write(lambda c: datasets.replace(c, dataset, second)).result(5)
    assert found(store) == first


def test_a_dataset_whose_making_was_undone_can_be_made_again(store: Store) -> None:
    def undone(c: Connection) -> None:
        datasets.add(c, fresh(), 1)
        raise Undone

    with pytest.raises(Undone):
        store.write(undone).result(5)
    assert store.write(lambda c: datasets.add(c, fresh(), 1)).result(5) is not None


def test_datasets_of_the_same_shape_are_made_in_two_databases_of_one_process(
    tmp_path: Path, open_store: OpenStore
) -> None:
    for name in ("one", "two"):
        with open_store(tmp_path / name) as store:
            assert store.write(lambda c: datasets.add(c, fresh(), 1)).result(5) is not None


def test_a_retired_dataset_is_found_by_its_id_and_its_name_is_free(store: Store) -> None:
    dataset = made(store)
    assert store.write(lambda c: datasets.retire(c, dataset)).result(5)
    assert found(store) is None
    assert store.read(lambda c: datasets.by_id(c, dataset.id)).result(5) is not None
    again = made(store)
    assert again.id != dataset.id


def test_an_end_in_every_partition_drops_the_table(store: Store) -> None:
    dataset = made(store)
    store.write(lambda c: datasets.retire(c, dataset)).result(5)

    def there() -> bool:
        return store.read(lambda c: inspect(c).has_table(f"d{dataset.id}")).result(5)

    for partition in (0, 1):
        assert there()
        assert not store.read(partial(gone, dataset, partition)).result(5)
        store.write(partial(datasets.end, dataset=dataset, partition=partition, of=2)).result(5)
        assert store.read(partial(gone, dataset, partition)).result(5)
    assert not there()
    assert store.read(partial(gone, dataset, 0)).result(5)


def gone(dataset: Dataset, partition: int, c: Connection) -> bool:
    """Whether persist would take nothing more for the dataset in the partition."""
    return datasets.by_id(c, dataset.id) is None or datasets.has_ended(c, dataset.id, partition)
