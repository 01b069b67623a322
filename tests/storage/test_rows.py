"""Records into typed tables and back: every column type, every value, unchanged."""

import string
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.envelope import Record
from rules.fold import Present
from rules.schema.dataset import MAX_EXACT, Dataset
from rules.schema.evolve import Additions, evolve
from rules.schema.moments import format_moment
from rules.schema.stored import stored_form
from storage import datasets
from storage.mismatch import Mismatch
from storage.present import present
from storage.store import Store
from storage.upsert import insert_rows, update_rows
from tests.stage.columns import EVERY_TYPE
from tests.storage.conftest import OpenStore
from tests.storage.database import made

SCHEMA = {"type": "object", "properties": EVERY_TYPE}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
moments = st.integers(-(2**63) // 2, 2**63 // 2)
records = st.fixed_dictionaries(
    {},
    optional={
        "s": texts,
        "i": st.integers(-(2**63), 2**63 - 1),
        "n": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-MAX_EXACT, MAX_EXACT),
        "b": st.booleans(),
        "day": st.dates().map(str),
        "at": moments.map(format_moment),
        "o": st.dictionaries(texts, json_values, max_size=3),
        "l": st.lists(json_values, max_size=3),
        "any": json_values.filter(lambda value: value is not None),
    },
)
often = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


_numbers = count()


def fresh_key() -> bytes:
    """Return a key that no example had before."""
    return next(_numbers).to_bytes(8, "big")


@pytest.fixture
def dataset(store: Store) -> Dataset:
    return made(store, schema=SCHEMA)


def inserted(store: Store, dataset: Dataset, rows: dict[bytes, Present]) -> None:
    store.write(lambda c: insert_rows(c, dataset, 0, rows)).result(5)


def updated(store: Store, dataset: Dataset, rows: dict[bytes, Present]) -> None:
    store.write(lambda c: update_rows(c, dataset, 0, rows)).result(5)


def there(store: Store, dataset: Dataset, keys: list[bytes]) -> dict[bytes, Present]:
    return store.read(lambda c: present(c, dataset, keys)).result(5)


def in_form(dataset: Dataset, sent: list[Record]) -> list[Record]:
    forms, bad = stored_form(dataset, sent)
    assert not bad
    return forms


@often
@given(sent=st.lists(records, min_size=1, max_size=4))
def test_what_is_inserted_reads_back_as_it_is(store: Store, dataset: Dataset, sent: list[Record]) -> None:
    rows = {fresh_key(): Present(f"id{i}", 2**62 + i, form) for i, form in enumerate(in_form(dataset, sent))}
    inserted(store, dataset, rows)
    assert there(store, dataset, list(rows)) == rows


@often
@given(before=records, after=records)
def test_what_is_updated_reads_back_as_it_is_and_keeps_its_id(
    store: Store, dataset: Dataset, before: Record, after: Record
) -> None:
    first, second = in_form(dataset, [before, after])
    key, other = fresh_key(), fresh_key()
    inserted(store, dataset, {key: Present("id", 1, first), other: Present("id2", 1, first)})
    updated(store, dataset, {key: Present("ignored", 2, second)})
    found = there(store, dataset, [key, other])
    assert found == {key: Present("id", 2, second), other: Present("id2", 1, first)}


@pytest.mark.parametrize("value", [1e300, 5e-324, -0.5, 1.5, 9007199254740993.0, 1e18, -1e18, 3.0])
def test_an_integer_column_that_widened_holds_doubles_exactly(
    tmp_path: Path, open_store: OpenStore, value: float
) -> None:
    with open_store(tmp_path / "db") as store:
        old = made(store, schema={"type": "object", "properties": {"n": {"type": "integer"}}}, mode="evolve")
        inserted(store, old, {b"1": Present("1", 1, {"n": 7})})
        new = evolve(old, Additions(widened=("n",)))
        assert store.write(lambda c: datasets.replace(c, old, new)).result(5)
        inserted(store, new, {b"2": Present("2", 1, {"n": value})})
        found = {key: row.record["n"] for key, row in there(store, new, [b"1", b"2"]).items()}
        assert found == {b"1": 7.0, b"2": value}
        assert all(type(one) is float for one in found.values())


def test_hundreds_of_rows_and_columns_are_inserted_and_read(store: Store) -> None:
    names = [a + b for a in string.ascii_letters for b in string.digits][:400]
    wide = made(
        store, "wide", schema={"type": "object", "properties": {n: {"type": "integer"} for n in names}}
    )
    rows = {
        i.to_bytes(4, "big"): Present(str(i), i, dict.fromkeys(names[: i % 401], i)) for i in range(1, 1_201)
    }
    inserted(store, wide, rows)
    assert there(store, wide, list(rows)) == rows


def test_a_row_that_is_there_already_is_a_mismatch(store: Store, dataset: Dataset) -> None:
    inserted(store, dataset, {b"a": Present("1", 1, {"s": "x"})})
    with pytest.raises(Mismatch):
        inserted(store, dataset, {b"b": Present("2", 1, {}), b"a": Present("3", 1, {})})
    assert there(store, dataset, [b"a", b"b"]) == {b"a": Present("1", 1, {"s": "x"})}


def test_a_row_that_is_not_there_is_a_mismatch(store: Store, dataset: Dataset) -> None:
    inserted(store, dataset, {b"a": Present("1", 1, {"s": "x"})})
    with pytest.raises(Mismatch):
        updated(store, dataset, {b"a": Present("1", 2, {}), b"b": Present("2", 2, {})})
    assert there(store, dataset, [b"a", b"b"]) == {b"a": Present("1", 1, {"s": "x"})}


def test_no_rows_are_nothing_done(store: Store, dataset: Dataset) -> None:
    inserted(store, dataset, {})
    updated(store, dataset, {})
    assert there(store, dataset, []) == {}
    assert there(store, dataset, [b"nobody"]) == {}
