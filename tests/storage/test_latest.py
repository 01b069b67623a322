from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rules.schema.dataset import Column, ColumnType, Dataset
from rules.schema.declare import on_demand
from storage.latest import Latest


def dataset(number: int, version: int = 1, columns: int = 1) -> Dataset:
    own = tuple(Column(f"c{place}", ColumnType.NUMBER, place + 1) for place in range(columns))
    return replace(on_demand("w", f"d{number}", number), version=version, columns=own)


def test_what_was_made_is_made_once_for_equal_datasets() -> None:
    made: list[Dataset] = []
    kept = Latest(lambda one: made.append(one) or len(made))
    assert kept.of(dataset(1)) == kept.of(dataset(1)) == 1
    assert len(made) == 1


def test_of_many_versions_only_the_latest_is_kept() -> None:
    kept = Latest(lambda one: one.version)
    for version in range(1, 401):
        assert kept.of(dataset(1, version, columns=version)) == version
    assert kept.size == 410


def test_another_dataset_of_the_same_number_and_version_gets_its_own() -> None:
    kept = Latest(lambda one: len(one.columns))
    assert kept.of(dataset(1, 2, columns=3)) == 3
    assert kept.of(dataset(1, 2, columns=4)) == 4


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(0, 40)), max_size=60))
def test_what_is_kept_is_bounded_and_right(asked: list[tuple[int, int, int]]) -> None:
    kept = Latest(lambda one: (one.id, one.version, len(one.columns)), most=120)
    for number, version, columns in asked:
        assert kept.of(dataset(number, version, columns)) == (number, version, columns)
        assert kept.size <= 120
