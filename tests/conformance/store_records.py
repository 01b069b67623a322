"""What every store must do with records, their tables and their alerts; part of `tests.conformance.store`."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection

from rules.alerting.rule import Rule, read_rule
from rules.envelope import Record
from rules.errors import Never
from rules.fold import Present
from rules.limits import Limits
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from rules.schema.evolve import Additions, evolve
from rules.schema.moments import format_moment
from rules.schema.stored import stored_form
from storage import datasets
from storage.present import present
from storage.store import Store
from storage.upsert import insert_rows, judged, update_rows
from tests.stage.columns import EVERY_TYPE

DEADLINE = 30.0
MANY = 240
"""Rows enough for the way in which a store takes many."""

ANY = EVERY_TYPE | {"u": {"type": ["integer", "null"], "format": "uint64"}}
EXTREMES: dict[str, list[Any]] = {
    "s": [
        "",
        " ",
        "\\",
        '"',
        "{",
        "}",
        ",",
        "NULL",
        "\\N",
        "\\x41",
        "%",
        "%s",
        "'",
        "\t\r\n\x0b\x0c",
        "a\\\nb",
    ],
    "i": [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1],
    "n": [0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1 / 3, 1e22],
    "b": [True, False],
    "day": ["0001-01-01", "9999-12-31"],
    "at": [format_moment(n) for n in (0, 1, -1, 2**63 - 1, -(2**63))],
    "o": [{}, {"": {"\\": ['"', {"u": 2**64 - 1}]}}],
    "l": [[], [None, -0.0, 2**64 - 1, "\U0010ffff", [[]]]],
    "u": [0, 1, 2**63, 2**64 - 1],
    "any": ["x", 1, 1.5, True, {"a": None}, [1], 2**64 - 1],
}


def rule_of(rule_id: str) -> Rule:
    return read_rule("w", {"id": rule_id, "on": "d", "where": "a > 1"}, now=1, limits=Limits())


def made(store: Store, name: str = "d", **body: Any) -> Dataset:
    declared = declare("w", {"datasetId": name, **body}, 0)
    kept = store.write(lambda c: datasets.add(c, declared, 1)).result(DEADLINE)
    assert kept is not None
    return kept


def changed(store: Store, dataset: Dataset, additions: Additions) -> Dataset:
    new = evolve(dataset, additions)
    assert store.write(lambda c: datasets.replace(c, dataset, new)).result(DEADLINE)
    return new


def inserted(store: Store, dataset: Dataset, rows: dict[bytes, Present]) -> None:
    store.write(lambda c: insert_rows(c, dataset, 0, rows)).result(DEADLINE)


def updated(store: Store, dataset: Dataset, rows: dict[bytes, Present]) -> None:
    store.write(lambda c: update_rows(c, dataset, 0, rows)).result(DEADLINE)


def there(store: Store, dataset: Dataset, keys: Sequence[bytes]) -> dict[bytes, Present]:
    return store.read(lambda c: present(c, dataset, keys)).result(DEADLINE)


def rows_of(dataset: Dataset, records: Sequence[Record]) -> dict[bytes, Present]:
    forms, bad = stored_form(dataset, list(records))
    assert not bad
    return {n.to_bytes(4, "big"): Present(f"{n:032x}", n, form) for n, form in enumerate(forms)}


class ValuesSuite:
    """Values: what goes in comes out, or is refused for good."""

    keeps_negative_zero = True

    @pytest.mark.parametrize("copies", [1, MANY])
    @pytest.mark.parametrize("column", ANY)
    def test_extreme_values_come_back_as_they_are(
        self, opened: Callable[[], Store], column: str, copies: int
    ) -> None:
        store = opened()
        dataset = made(store, schema={"type": "object", "properties": ANY})
        rows = rows_of(dataset, [{column: value} for value in EXTREMES[column]] * copies)
        inserted(store, dataset, rows)
        assert self.shown(there(store, dataset, list(rows))) == self.shown(rows)
        turned = dict(zip(rows, reversed(rows.values()), strict=True))
        updated(store, dataset, turned)
        assert self.shown(there(store, dataset, list(rows))) == self.shown(turned)

    def shown(self, rows: dict[bytes, Present]) -> dict[bytes, str]:
        """Return each record so that 1, 1.0 and True differ, and -0.0 from 0.0 where the store knows."""
        texts = {key: repr(row.record) for key, row in rows.items()}
        return texts if self.keeps_negative_zero else {k: t.replace("-0.0", "0.0") for k, t in texts.items()}

    def test_every_legal_code_point_comes_back(self, opened: Callable[[], Store]) -> None:
        store = opened()
        dataset = made(store, schema={"type": "object", "properties": {"s": {"type": "string"}}})
        points = [p for p in range(1, 0x110000) if not 0xD800 <= p < 0xE000]
        texts = ["".join(map(chr, points[start : start + 4096])) for start in range(0, len(points), 4096)]
        rows = rows_of(dataset, [{"s": text} for text in texts])
        inserted(store, dataset, rows)
        assert there(store, dataset, list(rows)) == rows

    @pytest.mark.parametrize("copies", [1, MANY])
    @pytest.mark.parametrize(("column", "value"), [("i", "x"), ("i", 2**63)])
    def test_what_a_column_can_not_hold_is_never(
        self, opened: Callable[[], Store], column: str, value: Any, copies: int
    ) -> None:
        store = opened()
        dataset = made(store, schema={"type": "object", "properties": ANY})
        rows = {n.to_bytes(4, "big"): Present(str(n), n, {column: value}) for n in range(copies)}
        refused = store.write(lambda c: insert_rows(c, dataset, 0, rows)).exception(DEADLINE)
        assert isinstance(refused, Never | OverflowError) or refused is None
        if refused is None:
            pytest.skip("SQLite's columns hold what they are given; our own check stands before it")
        assert there(store, dataset, list(rows)) == {}

    def test_a_body_goes_on_after_a_row_that_was_refused(self, opened: Callable[[], Store]) -> None:
        store = opened()
        dataset = made(store, schema={"type": "object", "properties": {"s": {"type": "string"}}})

        def body(c: Connection) -> str:
            try:
                with judged(c), c.begin_nested():
                    insert_rows(c, dataset, 0, {b"a": Present(None, 1, {})})  # type: ignore[arg-type]
            except Never as never:
                insert_rows(c, dataset, 0, {b"b": Present("1", 1, {})})
                return never.code.name
            return "taken"

        assert store.write(body).result(DEADLINE) == "schema_violation"
        assert list(there(store, dataset, [b"a", b"b"])) == [b"b"]
