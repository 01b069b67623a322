"""Batches of quarantined records, bounded in number and bytes."""

from collections.abc import Iterator

import pytest

from storage import quarantine
from storage.aside import Batch, batch, count
from storage.quarantine import Quarantined
from storage.store import Store
from tests.storage.database import opened

MB = 1024 * 1024


@pytest.fixture(scope="module")
def store(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with opened(tmp_path_factory.mktemp("aside") / "sluice.db", engine) as store:
        yield store


def aside(workspace: str, dataset: str, **record: object) -> Quarantined:
    return Quarantined(workspace, dataset, 1, "w", 0, "wrong_type", "no", record, "id", 1, 0, 5)


def keep(store: Store, *records: Quarantined) -> None:
    store.write(lambda c: quarantine.keep(c, list(records))).result()


def taken(store: Store, workspace: str, dataset: str | None = None, **how: int) -> Batch:
    after, most, size = how.get("after", 0), how.get("most", 10), how.get("size", MB)
    return store.read(lambda c: batch(c, workspace, dataset, after, most, size)).result()


def test_a_batch_ends_at_its_number_and_goes_on_behind_an_id(store: Store) -> None:
    keep(store, *(aside("one", "d", n=n) for n in range(5)))
    first = taken(store, "one", most=3)
    assert ([r.record["n"] for r in first.records], first.more) == ([0, 1, 2], True)
    second = taken(store, "one", most=3, after=first.records[-1].id)
    assert ([r.record["n"] for r in second.records], second.more) == ([3, 4], False)


def test_a_batch_ends_at_its_bytes_and_holds_one_record_at_least(store: Store) -> None:
    keep(store, *(aside("two", "d", text="x" * 1000) for _ in range(3)))
    assert len(taken(store, "two", size=2100).records) == 2
    assert taken(store, "two", size=10).more
    assert len(taken(store, "two", size=10).records) == 1


def test_names_match_without_case_and_other_workspaces_are_not_seen(store: Store) -> None:
    keep(store, aside("Three", "Quotes", n=1), aside("three", "other", n=2))
    assert [r.record["n"] for r in taken(store, "THREE", "qUOTES").records] == [1]
    assert [r.record["n"] for r in taken(store, "three").records] == [1, 2]
    assert taken(store, "four") == Batch([], False)
    assert store.read(lambda c: count(c, "three", "QUOTES")).result() == 1


def test_what_lies_behind_an_id_is_counted(store: Store) -> None:
    keep(store, *(aside("five", "d", n=n) for n in range(4)))
    second = taken(store, "five").records[1]
    assert store.read(lambda c: count(c, "five", "d", second.id)).result() == 2
