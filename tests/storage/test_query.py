"""Pages of records: which ones, in which order, in which form."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from rules.fold import Present
from rules.ids import canonical_key
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from rules.schema.moments import format_moment
from storage import datasets
from storage.bounded import bounded
from storage.query import Page, page, shown_fields
from storage.store import Store
from storage.upsert import insert_rows
from tests.storage.database import opened

START = 1_700_000_000_000_000_000
names = count(1)

DATED = {
    "schema": {
        "type": "object",
        "properties": {
            "symbol": {"type": "string"},
            "day": {"type": "string", "format": "date-time"},
            "price": {"type": ["number", "null"]},
            "note": {"type": "null"},
        },
        "required": ["symbol", "day"],
    },
    "columnMapping": {"key": "symbol", "date": "day"},
    "mode": "evolve",
}


@pytest.fixture(scope="module")
def store(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with opened(tmp_path_factory.mktemp("query") / "sluice.db", engine) as store:
        yield store


def made(store: Store, body: dict[str, Any]) -> Dataset:
    declared = declare("acme", {"datasetId": f"d{next(names)}", **body}, 0)
    dataset = store.write(lambda c: datasets.add(c, declared, 1)).result()
    assert dataset is not None
    return dataset


def filled(store: Store, dataset: Dataset, records: list[dict[str, Any]]) -> None:
    rows = {
        canonical_key([r[name] for name in dataset.key]): Present(f"{number:026d}", START + number, r)
        for number, r in enumerate(records)
    }
    store.write(lambda c: insert_rows(c, dataset, 0, rows)).result()


def asked(store: Store, dataset: Dataset, wanted: Page, *fields: str) -> list[dict[str, Any]]:
    shown = fields or shown_fields(dataset)

    def body(c: Connection) -> list[dict[str, Any]]:
        with bounded(c, 30) as bound:
            return list(page(c, dataset, wanted, shown, bound))

    return store.read(body).result()


def at(second: int) -> str:
    return format_moment(START + second * 10**9)


def test_a_record_shows_every_column_and_what_is_absent_is_null(store: Store) -> None:
    dataset = made(store, DATED)
    filled(store, dataset, [{"symbol": "A", "day": at(1)}])
    expected = {"symbol": "A", "day": at(1), "price": None, "note": None, "_id": f"{0:026d}"}
    found = asked(store, dataset, Page(10))
    assert found == [expected]
    assert list(found[0]) == ["symbol", "day", "price", "note", "_id"]


def test_without_a_date_column_a_record_shows_its_arrival(store: Store) -> None:
    dataset = made(store, {**DATED, "columnMapping": {"key": "symbol"}})
    filled(store, dataset, [{"symbol": "A", "day": at(1)}])
    assert asked(store, dataset, Page(10), "_time") == [{"_time": format_moment(START)}]


def test_only_the_fields_that_are_asked_for_come_in_the_order_asked(store: Store) -> None:
    dataset = made(store, DATED)
    filled(store, dataset, [{"symbol": "A", "day": at(1), "price": 2.5}])
    found = asked(store, dataset, Page(10), "note", "price")
    assert [list(record.items()) for record in found] == [[("note", None), ("price", 2.5)]]


def test_equal_times_come_in_the_order_of_their_ids(store: Store) -> None:
    dataset = made(store, DATED)
    filled(store, dataset, [{"symbol": name, "day": at(1)} for name in "BCA"])
    assert [r["symbol"] for r in asked(store, dataset, Page(10))] == ["A", "C", "B"]
    assert [r["symbol"] for r in asked(store, dataset, Page(10, oldest_first=True))] == ["B", "C", "A"]


def test_with_a_key_its_index_is_used_however_time_is_bounded(engine: str, store: Store) -> None:
    if engine != "sqlite":
        pytest.skip("PostgreSQL chooses by what it counted")
    dataset = made(store, DATED)
    told: list[tuple[str, Any]] = []

    def plan(c: Any) -> str:
        event.listen(c.engine, "before_cursor_execute", lambda *call: told.append((call[2], call[3])))
        with bounded(c, 30) as bound:
            list(page(c, dataset, Page(1, key=("A",), begin=START, end=START + 10**15), ["symbol"], bound))
        return str(c.exec_driver_sql(f"EXPLAIN QUERY PLAN {told[-1][0]}", told[-1][1]).fetchall())

    assert f"d{dataset.id}_key (_key>? AND _key<?)" in store.read(plan).result()


@settings(max_examples=40, deadline=None)
@given(
    drawn=st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 20)), unique=True, max_size=30),
    key=st.sampled_from(["", "A", "B", "Z"]),
    begin=st.none() | st.integers(0, 20),
    end=st.none() | st.integers(0, 20),
    oldest_first=st.booleans(),
    size=st.integers(1, 7),
)
def test_pages_put_together_are_what_sorting_in_memory_gives(
    store: Store,
    drawn: list[tuple[str, int]],
    key: str,
    begin: int | None,
    end: int | None,
    oldest_first: bool,
    size: int,
) -> None:
    dataset = made(store, DATED)
    filled(store, dataset, [{"symbol": symbol, "day": at(second)} for symbol, second in drawn])
    kept = [
        (second, number, symbol)
        for number, (symbol, second) in enumerate(drawn)
        if (not key or symbol == key) and (begin is None or second >= begin) and (end is None or second < end)
    ]
    expected = [(symbol, at(second)) for second, _, symbol in sorted(kept, reverse=not oldest_first)]
    found: list[tuple[str, str]] = []
    while True:
        wanted = Page(
            size,
            len(found),
            (key,) if key else (),
            None if begin is None else START + begin * 10**9,
            None if end is None else START + end * 10**9,
            oldest_first,
        )
        part = asked(store, dataset, wanted)
        found += [(record["symbol"], record["day"]) for record in part]
        if len(part) < size:
            break
    store.write(lambda c: datasets.end(c, dataset, 0, 1)).result()
    assert found == expected


def test_one_dataset_shows_nothing_of_another(store: Store) -> None:
    one, other = made(store, DATED), made(store, DATED)
    filled(store, one, [{"symbol": "A", "day": at(1)}])
    assert asked(store, other, Page(10)) == []
