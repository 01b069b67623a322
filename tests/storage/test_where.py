"""Conditions over stored records: what SQL says of them is what the evaluator says, on both engines."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from rules.condition.where import read_where, selects
from rules.fold import Present
from rules.schema.dataset import Dataset
from rules.schema.moments import format_moment
from rules.schema.stored import stored_form, without_nulls
from storage import removal
from storage.bounded import Bound, TooMuch, TooSlow, bounded
from storage.query import Page, page
from storage.store import Store
from storage.upsert import insert_rows
from storage.where import pushed
from tests.storage.database import made, opened

START = 1_700_000_000_000_000_000
COLUMNS: dict[str, dict[str, Any]] = {
    "i": {"type": "integer"},
    "j": {"type": "integer"},
    "u": {"type": "integer", "format": "uint64"},
    "n": {"type": "number"},
    "m": {"type": "number"},
    "s": {"type": "string"},
    "t": {"type": "string"},
    "b": {"type": "boolean"},
    "at": {"type": "string", "format": "date-time"},
    "till": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "o": {"type": "object"},
    "l": {"type": "array"},
    "x": {},
    "never": {"type": "null"},
}
INTEGERS = [0, 1, -1, 2, 7, -5, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
NUMBERS = [
    0.0,
    -0.0,
    0.5,
    1.0,
    -1.0,
    2.5,
    -7.25,
    1e18,
    9007199254740992.0,
    9007199254740996.0,
    2.0**64,
    9.3e18,
    1.5e308,
    5e-324,
]
TEXTS = ["", "a", "A", "b", "ab", "abab", "é", "e\u0301", "%", "a_b", "z\U0001f600", "\uffff", 'q"\\', "\n"]
DAYS = ["2024-01-01", "2024-02-29", "1970-01-01"]
MOMENTS = [
    "2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00.5Z",
    "2024-02-29T23:59:59.999999999Z",
    "1969-12-31T01:00:00Z",
]
VALUES: dict[str, list[Any]] = {
    "i": INTEGERS,
    "j": INTEGERS,
    "u": [0, 1, 2, 7, 2**53 + 1, 2**63, 2**64 - 1],
    "n": NUMBERS,
    "m": NUMBERS,
    "s": TEXTS,
    "t": TEXTS,
    "b": [True, False],
    "at": MOMENTS,
    "till": MOMENTS,
    "day": DAYS,
    "o": [{}, {"a": 1}, {"a": "b", "c": None}, {"a": {"b": [1]}}],
    "l": [[], [1, "a"], [None], ["a", 2.5]],
    "x": [1, 1.0, True, "a", {"a": 1}, [1]],
    "never": [],
}


def records() -> list[dict[str, Any]]:
    """Return records of interesting values, a third of them absent."""
    random = Random(7)
    return [
        {name: random.choice(values) for name, values in VALUES.items() if values and random.random() > 0.3}
        for _ in range(150)
    ]


@pytest.fixture(scope="module")
def store(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with opened(tmp_path_factory.mktemp("where") / "sluice.db", engine) as store:
        yield store


@pytest.fixture(scope="module")
def dataset(store: Store) -> Dataset:
    return filled(store, "all")


def filled(store: Store, name: str) -> Dataset:
    """Return a dataset of all kinds of columns with the records in it."""
    schema = {"type": "object", "properties": COLUMNS}
    dataset = made(store, name, schema=schema, mode="strict")
    stored, bad = stored_form(dataset, records())
    assert bad == {}
    rows = {
        number.to_bytes(2, "big"): Present(f"{number:032x}", START + number, without_nulls(record))
        for number, record in enumerate(stored)
    }
    store.write(lambda c: insert_rows(c, dataset, 0, rows)).result(30)
    return dataset


def everything(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the records as conditions see them."""
    stored, _ = stored_form(dataset, records())
    return [
        {**without_nulls(record), "_id": f"{number:032x}", "_time": format_moment(START + number)}
        for number, record in enumerate(stored)
    ]


def asked(store: Store, dataset: Dataset, source: str, limit: int = 1_000, offset: int = 0) -> list[str]:
    """Return the ids that the store gives for a condition, oldest first."""
    where = read_where(source, dataset)

    def body(c: Connection) -> list[str]:
        with bounded(c, 30) as bound:
            wanted = Page(limit, offset, oldest_first=True, where=where)
            return [record["_id"] for record in page(c, dataset, wanted, ["_id"], bound)]

    return store.read(body).result(60)


def expected(dataset: Dataset, source: str) -> list[str]:
    where = read_where(source, dataset)
    return [str(record["_id"]) for record in everything(dataset) if selects(where, record)]


def text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def literals(columns: str, values: list[Any]) -> st.SearchStrategy[str]:
    """Conditions on columns of one kind: compared with values and with each other, sought in lists."""
    column = st.sampled_from(columns.split())
    literal = st.sampled_from([text(v) if isinstance(v, str) else repr(v) for v in values])
    operator = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    same = st.sampled_from(["==", "!="])
    several = st.lists(st.one_of(literal, literal, st.just("null")), max_size=4).map(", ".join)
    return st.one_of(
        st.builds("{0} {1} {2}".format, column, operator, literal),
        st.builds("{2} {1} {0}".format, column, operator, literal),
        st.builds("{0} {1} {2}".format, column, operator, column),
        st.builds("{0} {1} null".format, column, same),
        st.builds("{0} in [{1}]".format, column, several),
    )


BEYOND = [2**64 - 1, 2**63, 2**53 + 1, 2**53 + 3, 1.5, -0.5, 0.0, 1e19, -1e19, 9.007199254740993e15]
OF_NUMBERS = literals("i j u n m", [*INTEGERS[:-1], *NUMBERS, *BEYOND])
OF_TEXTS = literals("s t _id", [*TEXTS, f"{3:032x}"])
OF_MOMENTS = literals(
    "at till _time", [*MOMENTS, *DAYS, format_moment(START + 40), "2024-01-01T01:00:00+01:00"]
)
OF_DAYS = literals("day", [*DAYS, "2024", "x"])
FUNCTIONS = st.builds(
    "{0}.{1}({2})".format,
    st.sampled_from(["s", "t", "day", "at"]),
    st.sampled_from(["startsWith", "endsWith", "contains"]),
    st.sampled_from([text(value) for value in [*TEXTS, "2024", "01", "bab"]]),
)
ODD = st.sampled_from(
    [
        *("b", "true", "false", "b == true", "b != false", "b in [true, null]", "b == b"),
        *("has(i)", "has(o)", "has(o.a)", "has(x)", "has(never)", "has(_time)", "never == null"),
        *(
            "o.a == 1",
            "o.a.b == [1]",
            "l[0] == 1",
            "1 in l",
            "x == 1",
            "x == true",
            "x > 0",
            "o == o",
        ),
        *(
            "i + 1 > j",
            "n / m > 1",
            "size(s) == 2",
            's.matches("^a")',
            "-i > 0",
            "day < at",
            "i == n",
            "u > i",
        ),
        *('s + t == "ab"', "s == day", "s < t", "i % 2 == 1", "i in [j, 1]"),
    ]
)
ATOMS = st.one_of(OF_NUMBERS, OF_TEXTS, OF_MOMENTS, OF_DAYS, FUNCTIONS, ODD)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("!({0})".format, inner),
        st.lists(inner, min_size=2, max_size=3).map(
            lambda several: " && ".join(f"({one})" for one in several)
        ),
        st.lists(inner, min_size=2, max_size=3).map(
            lambda several: " || ".join(f"({one})" for one in several)
        ),
    ),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(source=CONDITIONS)
def test_the_store_selects_what_the_evaluator_selects(store: Store, dataset: Dataset, source: str) -> None:
    assert asked(store, dataset, source) == expected(dataset, source), source


def test_every_number_compares_with_every_column_exactly(store: Store, dataset: Dataset) -> None:
    wheres = [
        read_where(f"{column} {operator} {value!r}", dataset)
        for column in "iun"
        for operator in ("==", "<", "<=", ">", ">=")
        for value in {*INTEGERS[:-1], *NUMBERS, *BEYOND}
    ]

    def body(c: Connection) -> list[list[str]]:
        pages = (Page(1_000, oldest_first=True, where=where) for where in wheres)
        return [[r["_id"] for r in page(c, dataset, one, ["_id"], Bound(60))] for one in pages]

    all_of_them = everything(dataset)
    for where, found in zip(wheres, store.read(body).result(60), strict=True):
        assert pushed(dataset, where.tree).exact
        assert found == [record["_id"] for record in all_of_them if selects(where, record)], where.source


@settings(max_examples=60, deadline=None)
@given(source=CONDITIONS, offset=st.integers(0, 30), limit=st.integers(1, 10))
def test_pages_are_cut_from_what_is_selected(
    store: Store, dataset: Dataset, source: str, offset: int, limit: int
) -> None:
    found = asked(store, dataset, source, limit, offset)
    assert found == expected(dataset, source)[offset : offset + limit]


@pytest.mark.parametrize(
    "source",
    [
        "i > 2.5 && s != null",
        "u >= 9223372036854775808 || n < 9007199254740993",
        's.startsWith("a") && !(t.contains("%") || t.endsWith("é"))',
        'at >= "2024-01-01T00:00:00.5Z" && at != till',
        'i in [1, 2, null] && _time < "2023-11-15" && has(o) && b',
    ],
)
def test_the_database_decides_what_it_can_say(dataset: Dataset, source: str) -> None:
    assert pushed(dataset, read_where(source, dataset).tree).exact


def test_an_operand_that_sql_can_say_narrows_what_is_looked_at(dataset: Dataset) -> None:
    some = pushed(dataset, read_where("i > 1 && o.a == 1", dataset).tree)
    assert (len(some.conditions), some.exact) == (1, False)
    assert pushed(dataset, read_where("i > 1 || o.a == 1", dataset).tree) == ([], False)


@pytest.mark.parametrize("together", [1, 7, 150, 5_000])
def test_a_delete_that_looks_at_rows_deletes_just_those_it_selects(
    engine: str, store: Store, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(removal, "_SLICE", together)
    dataset = filled(store, f"gone{together}")
    where = read_where("size(s) >= 1 && has(i)", dataset)
    meant = [record["_id"] for record in everything(dataset) if selects(where, record)]
    assert len(meant) > 20
    assert store.write(lambda c: removal.remove(c, dataset, 0, [], None, None, where)).result(60) == len(
        meant
    )
    assert set(asked(store, dataset, "true")) == {record["_id"] for record in everything(dataset)} - {*meant}


def test_looking_at_more_rows_than_may_be_ends_it(store: Store, dataset: Dataset) -> None:
    where = read_where("o.nothing == 1", dataset)

    def body(c: Connection) -> None:
        with bounded(c, 30, rows=100) as bound:
            list(page(c, dataset, Page(1, where=where), ["_id"], bound))

    with pytest.raises(TooMuch, match="100"):
        store.read(body).result(30)
    assert asked(store, dataset, "o.nothing == 1") == []


def test_a_query_that_takes_too_long_is_ended_and_the_next_is_not(engine: str, store: Store) -> None:
    forever = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "postgres": "SELECT pg_sleep(60)",
    }[engine]

    def body(c: Connection) -> Any:
        with bounded(c, 0.2):
            return c.exec_driver_sql(forever).all()

    with pytest.raises(TooSlow, match=r"0\.2"):
        store.read(body).result(30)
    assert store.read(lambda c: c.exec_driver_sql("SELECT 1").scalar()).result(30) == 1


def test_the_time_of_looking_at_rows_counts_too() -> None:
    with pytest.raises(TooSlow):
        list(Bound(0, rows=5_000).counted(range(5_000)))
