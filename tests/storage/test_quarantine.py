"""Records set aside: kept as they came, in order, told apart by workspace and dataset, gone once dropped."""

import pytest

from storage.aside import batch
from storage.quarantine import Quarantined, drop, find, keep, of_write
from storage.store import Store


def aside(position: int, workspace: str = "Acme", dataset: str = "Quotes", write: str = "w1") -> Quarantined:
    record = {"n": position, "é": [None, 2**53 + 1, 1.5, {"x": "\U0001f600"}]}
    return Quarantined(workspace, dataset, 7, write, position, "wrong_type", "no", record, "id", 3, 2, 2**62)


def kept(store: Store, *records: Quarantined) -> None:
    store.write(lambda c: keep(c, list(records))).result(5)


def listed(
    store: Store, workspace: str, dataset: str | None = None, after: int = 0, limit: int = 100
) -> list[Quarantined]:
    return store.read(lambda c: batch(c, workspace, dataset, after, limit, 10**6)).result(5).records


def test_a_record_comes_back_as_it_was_set_aside(store: Store) -> None:
    kept(store, aside(4))
    (found,) = listed(store, "acme")
    assert found == aside(4)._replace(id=found.id, workspace="acme")
    assert store.read(lambda c: find(c, "ACME", found.id)).result(5) == found


def test_nothing_set_aside_is_nothing_done(store: Store) -> None:
    kept(store)
    assert listed(store, "acme") == []


def test_pages_follow_each_other_in_the_order_of_the_records(store: Store) -> None:
    kept(store, *(aside(n) for n in range(25)))
    pages: list[int] = []
    after = 0
    while page := listed(store, "acme", "quotes", after, 10):
        pages += [one.position for one in page]
        after = page[-1].id
    assert pages == list(range(25))


def test_names_match_without_case_and_others_are_not_shown(store: Store) -> None:
    kept(store, aside(1), aside(2, dataset="other"), aside(3, workspace="else"))
    assert [one.position for one in listed(store, "ACME", "qUOTES")] == [1]
    assert [one.position for one in listed(store, "acme")] == [1, 2]
    assert [one.position for one in listed(store, "else")] == [3]


def test_a_record_of_another_workspace_is_not_found(store: Store) -> None:
    kept(store, aside(1))
    number = listed(store, "acme")[0].id
    assert store.read(lambda c: find(c, "else", number)).result(5) is None
    assert store.read(lambda c: find(c, "acme", number + 1)).result(5) is None


def test_the_records_of_a_write_are_told_by_their_index(store: Store) -> None:
    kept(store, aside(9), aside(2), aside(5, write="w2"))
    told = store.read(lambda c: of_write(c, "w1")).result(5)
    assert told == [(2, "wrong_type", "no"), (9, "wrong_type", "no")]


def test_dropping_is_once(store: Store) -> None:
    kept(store, aside(1))
    number = listed(store, "acme")[0].id
    assert store.write(lambda c: drop(c, number)).result(5)
    assert not store.write(lambda c: drop(c, number)).result(5)
    assert listed(store, "acme") == []


def test_a_number_is_not_given_to_another_record_once_it_was_dropped(store: Store) -> None:
    kept(store, aside(1))
    number = listed(store, "acme")[0].id
    store.write(lambda c: drop(c, number)).result(5)
    kept(store, aside(2))
    if listed(store, "acme")[0].id == number:
        pytest.fail("a redrive of the dropped record would take the new one")
