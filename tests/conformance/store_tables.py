"""What every store must do with the tables of datasets; part of `tests.conformance.store`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from rules.envelope import Handling
from rules.fold import Draft, Outcome, Present, fold
from rules.ids import canonical_key
from rules.schema.dataset import Dataset
from rules.schema.evolve import Additions, NewType
from rules.schema.stored import ColumnType, record_key, stored_form
from storage import datasets, rules
from storage.bounded import Bound
from storage.mismatch import Mismatch
from storage.query import Page, page, shown_fields
from storage.removal import remove
from storage.store import Store
from storage.upsert import insert_rows, update_rows
from storage.views import view_name
from tests.conformance.store_records import (
    ANY,
    DEADLINE,
    MANY,
    changed,
    inserted,
    made,
    rows_of,
    rule_of,
    there,
    updated,
)


class TablesSuite:
    """Tables: made, widened, shown under their real names, dropped."""

    @pytest.mark.parametrize("many", [1, MANY])
    def test_what_the_fold_did_not_foretell_is_a_mismatch_and_changes_nothing(
        self, opened: Callable[[], Store], many: int
    ) -> None:
        store = opened()
        dataset = made(store, schema={"type": "object", "properties": {"i": {"type": "integer"}}})
        rows = rows_of(dataset, [{"i": n} for n in range(many)])
        inserted(store, dataset, rows)
        other = {b"new": Present("x", 1, {}), **rows}
        for write in (insert_rows, update_rows):
            refused = store.write(partial(_write, write, dataset, other)).exception(DEADLINE)
            assert isinstance(refused, Mismatch)
        assert there(store, dataset, list(other)) == rows

    @pytest.mark.parametrize("handling", list(Handling))
    def test_ignore_replace_and_merge_leave_what_the_fold_says(
        self, opened: Callable[[], Store], handling: Handling
    ) -> None:
        store = opened()
        dataset = made(
            store,
            schema={"type": "object", "properties": {**ANY, "k": {"type": ["string", "null"]}}},
            columnMapping={"key": "k"},
        )
        batches = [
            [{"k": "a", "i": 1, "s": "x"}, {"k": "b", "i": 1}, {"k": "a", "n": 2.0, "s": None}],
            [{"k": "a", "i": 3}, {"k": "c", "i": 9}, {"k": "a", "b": True, "i": None}],
        ]
        model: dict[bytes, Present] = {}
        for number, batch in enumerate(batches):
            forms, _ = stored_form(dataset, batch)
            drafts = [
                Draft(record_key(dataset, form), f"{number}{n}", number, int(handling), form, n)
                for n, form in enumerate(forms)
            ]
            folded = fold(drafts, there(store, dataset, [d.key for d in drafts]), 10**6)
            expected = fold(drafts, model, 10**6)
            assert folded.applied == expected.applied
            assert Outcome.INSERTED in {applied.outcome for applied in folded.applied}
            inserted(store, dataset, folded.inserts)
            updated(store, dataset, folded.updates)
            model |= {**expected.inserts, **expected.updates}
            assert there(store, dataset, list(model)) == model

    def test_keys_know_null_and_tell_types_apart(self, opened: Callable[[], Store]) -> None:
        store = opened()
        dataset = made(store, schema={"type": "object", "properties": ANY})
        values: list[Any] = [None, "", "None", 0, False, "0", 0.5, "a", "A", "\U0010ffff", -1, 2**63 - 1]
        keys = [canonical_key([one, other]) for one in values for other in values]
        assert len(set(keys)) == len(values) ** 2
        rows = {key: Present(str(n), n, {"i": n}) for n, key in enumerate(keys)}
        inserted(store, dataset, rows)
        assert there(store, dataset, keys) == rows
        again = store.write(lambda c: insert_rows(c, dataset, 0, {keys[0]: rows[keys[0]]}))
        assert isinstance(again.exception(DEADLINE), Mismatch)

    def test_columns_are_added_and_widened_under_rows_that_stay(self, opened: Callable[[], Store]) -> None:
        store = opened()
        first = made(
            store, mode="evolve", schema={"type": "object", "properties": {"n": {"type": "integer"}}}
        )
        inserted(store, first, {b"1": Present("1", 1, {"n": 2**53})})
        second = changed(store, first, Additions(columns=(NewType('née %s "', ColumnType.STRING),)))
        inserted(store, second, {b"2": Present("2", 1, {'née %s "': "x", "n": 1})})
        third = changed(store, second, Additions(widened=("n",)))
        inserted(store, third, {b"3": Present("3", 1, {"n": 0.1})})
        # a process that knows the older version yet goes on with it
        inserted(store, first, {b"4": Present("4", 1, {"n": 7})})
        found = there(store, third, [b"1", b"2", b"3", b"4"])
        assert {key: row.record.get("n") for key, row in found.items()} == {
            b"1": 2.0**53,
            b"2": 1.0,
            b"3": 0.1,
            b"4": 7.0,
        }
        assert found[b"2"].record['née %s "'] == "x"

    def test_a_view_shows_the_real_names(self, opened: Callable[[], Store]) -> None:
        store = opened()
        names = ["Temp", "humid%ity", 'a "quoted" one', "%s", "select", "ü" * 60, "ü" * 60 + "2", "x;y"]
        properties = {name: {"type": "integer"} for name in names}
        dataset = made(store, "Quotes", schema={"type": "object", "properties": properties})
        inserted(store, dataset, {b"1": Present("id", 5, {name: n for n, name in enumerate(names)})})

        def body(c: Connection) -> list[tuple[str, Any]]:
            cursor = c.connection.cursor()
            cursor.execute(f"SELECT * FROM {view_name(c, dataset)}")
            row = cursor.fetchone()
            assert row is not None and cursor.description is not None
            return [(column[0], value) for column, value in zip(cursor.description, row, strict=True)]

        shown = store.read(body).result(DEADLINE)
        assert [value for _, value in shown[2:]] == list(range(len(names)))
        assert [name for name, _ in shown[:7]] == ["_id", "_time", *names[:5]]
        assert len({name for name, _ in shown}) == len(shown)

    def test_a_name_is_free_once_its_dataset_is_retired_and_both_are_apart(
        self, opened: Callable[[], Store]
    ) -> None:
        store = opened()
        first = made(store, schema={"type": "object", "properties": {"i": {"type": "integer"}}})
        inserted(store, first, {b"1": Present("1", 1, {"i": 1})})
        assert store.write(lambda c: datasets.retire(c, first)).result(DEADLINE)
        second = made(store, schema={"type": "object", "properties": {"s": {"type": "string"}}})
        inserted(store, first, {b"2": Present("2", 1, {"i": 2})})
        assert there(store, second, [b"1", b"2"]) == {}
        store.write(lambda c: datasets.end(c, first, 0, 1)).result(DEADLINE)
        inserted(store, second, {b"1": Present("1", 1, {"s": "x"})})
        shown = store.read(lambda c: list(page(c, second, Page(5), shown_fields(second), Bound(30)))).result(
            DEADLINE
        )
        assert [record["s"] for record in shown] == ["x"]

    def test_datasets_and_rules_are_listed_in_the_order_of_their_letters(
        self, opened: Callable[[], Store]
    ) -> None:
        store = opened()
        names = ["b", "A", "a_b", "ab", "a1", "Z", "_"[1:] + "z9"]
        for name in names:
            made(store, name)
            store.write(partial(_add_rule, name)).result(DEADLINE)
        assert [d.folded for d in store.read(datasets.listing).result(DEADLINE)] == sorted(
            name.lower() for name in names
        )
        assert [r.id for r in store.read(rules.listing).result(DEADLINE)] == sorted(names)

    def test_rows_are_removed_by_key_and_by_time(self, opened: Callable[[], Store]) -> None:
        store = opened()
        dataset = made(
            store,
            schema={"type": "object", "properties": {"k": {"type": "string"}, "day": ANY["day"]}},
            columnMapping={"key": "k", "date": "day"},
        )
        day = 86_400 * 10**9
        records = [{"k": f"{n}", "day": f"2026-01-{n:02d}"} for n in range(1, 31)]
        forms, _ = stored_form(dataset, records)
        inserted(store, dataset, {record_key(dataset, f): Present(f["k"], 1, f) for f in forms})
        first = 1_767_225_600 * 10**9
        ranged = store.write(lambda c: remove(c, dataset, 0, (), first + 9 * day, first + 19 * day - 1))
        assert ranged.result(DEADLINE) == 10
        assert store.write(lambda c: remove(c, dataset, 0, [("1",)], None, None)).result(DEADLINE) == 1
        left = store.read(lambda c: list(page(c, dataset, Page(100), ["k"], Bound(30)))).result(DEADLINE)
        assert {int(record["k"]) for record in left} == {*range(2, 10), *range(20, 31)}


def _add_rule(rule_id: str, c: Connection) -> bool:
    return rules.add_version(c, rule_of(rule_id))


def _write(
    write: Callable[[Connection, Dataset, int, dict[bytes, Present]], None],
    dataset: Dataset,
    rows: dict[bytes, Present],
    c: Connection,
) -> None:
    write(c, dataset, 0, rows)
