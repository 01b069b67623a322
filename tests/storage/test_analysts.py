"""What analysts may ask, and what they can't reach, alike on both engines."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rules.errors import (
    BAD_PARAMETER,
    BAD_QUERY,
    DATASET_NOT_FOUND,
    NOT_A_SELECT,
    QUERY_TOO_LARGE,
    QUERY_TOO_SLOW,
    Code,
    Problem,
)
from rules.question import Bounds
from rules.schema.dataset import ColumnType
from rules.schema.evolve import Additions, NewType, evolve
from storage import datasets
from tests.storage.analysing import DEADLINE, SECRET, Desk, desk


@pytest.fixture(scope="module")
def here(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(engine, tmp_path_factory.mktemp("desk") / "test.db") as made:
        yield made


@pytest.fixture
def own(engine: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose datasets a test may change, with little time and little room."""
    with desk(engine, tmp_path / "test.db", Bounds(seconds=1.0, rows=20, bytes=10_000)) as made:
        yield made


def refusal(here: Desk, query: str, workspace: str = "acme", **parameters: str | int) -> Code:
    """Return why a query is refused; nothing of another workspace is in what is said of it."""
    with pytest.raises(Problem) as refused:
        here.ask(query, workspace, **parameters)
    assert SECRET not in str(refused.value)
    return refused.value.code


def test_a_dataset_goes_by_its_name_whatever_its_case(here: Desk) -> None:
    answer = here.ask("SELECT symbol, price FROM Quotes ORDER BY symbol")
    assert answer == {
        "columns": ["symbol", "price"],
        "rows": [["A", 1.5], ["B", None], ["C'; --", None]],
        "truncated": False,
    }


def test_all_columns_have_their_real_names(here: Desk) -> None:
    assert here.ask("SELECT * FROM quotes")["columns"] == [
        *("_id", "_time", "symbol", "at", "price", "volume", "open", "more", "Order")
    ]
    assert here.rows("""SELECT "Order" FROM quotes WHERE symbol LIKE 'C%'""") == [["first"]]


def test_integers_are_exact_to_their_ends(here: Desk) -> None:
    found = here.rows("SELECT volume FROM quotes WHERE volume IS NOT NULL ORDER BY volume")
    assert found == [[-(2**53) - 1], [2**63 - 1]]


def test_times_are_rfc_3339_in_utc_and_compare_as_times(here: Desk) -> None:
    found = [str(at) for (at,) in here.rows("SELECT at FROM quotes ORDER BY at")]
    assert [at[:19] for at in found] == ["1969-12-31T23:59:59", "2023-11-14T22:13:20", "2023-11-14T22:13:21"]
    assert all(at.endswith("Z") for at in found)
    assert found[1].startswith("2023-11-14T22:13:20.123456")
    assert here.rows("SELECT count(*) FROM quotes WHERE at > :since", since="2000-01-01") == [[2]]


def test_what_json_has_no_number_for_is_a_text(here: Desk, engine: str) -> None:
    infinite = "9e999" if engine == "sqlite" else "'infinity'::float8"
    assert here.rows(f"SELECT {infinite} AS x, -{infinite} AS y") == [["Infinity", "-Infinity"]]


def test_bytes_are_hexadecimal(here: Desk, engine: str) -> None:
    some = "x'00ff'" if engine == "sqlite" else "'\\x00ff'::bytea"
    assert here.rows(f"SELECT {some} AS x") == [["\\x00ff"]]


@pytest.mark.parametrize("value", ["x", "'; DROP TABLE token; --", "ü\u2028😀", "", ":name", "$1", "%s"])
def test_a_text_is_bound_and_never_spliced(here: Desk, value: str) -> None:
    assert here.rows("SELECT lower(:given) AS x, symbol FROM quotes WHERE symbol = 'A'", given=value) == [
        [value.lower(), "A"]
    ]


def test_numbers_and_null_are_bound_as_what_they_are(here: Desk) -> None:
    query = "SELECT symbol FROM quotes WHERE volume = :n AND price > :f AND :nothing IS NULL AND :n > 0"
    query = query.replace(":nothing IS NULL", "coalesce(:nothing, 1) = 1")
    assert here.rows(query, n=2**63 - 1, f=0.5, nothing=None) == [["A"]]


def test_a_name_in_a_text_or_a_comment_is_no_parameter(here: Desk) -> None:
    query = "SELECT ':a' AS \":b\", /* :c */ symbol -- :d\nFROM quotes WHERE symbol = :e"
    assert here.ask(query, e="A") == {"columns": [":b", "symbol"], "rows": [[":a", "A"]], "truncated": False}


def test_a_parameter_without_a_value_and_a_value_without_a_parameter_are_refused(here: Desk) -> None:
    assert refusal(here, "SELECT lower(:a), lower(:b)", a="x") is BAD_PARAMETER
    assert refusal(here, "SELECT lower(:a)", a="x", b="y") is BAD_PARAMETER


def test_a_join_a_cte_a_window_and_a_semicolon_are_sql_like_any_other(here: Desk) -> None:
    query = """
        WITH priced AS (SELECT symbol, price FROM quotes WHERE price IS NOT NULL)
        SELECT q.symbol, p.price, row_number() OVER (ORDER BY q.symbol) AS n
        FROM quotes AS q LEFT JOIN priced AS p ON p.symbol = q.symbol ORDER BY n LIMIT 2 ;
    """
    assert here.rows(query) == [["A", 1.5, 1], ["B", None, 2]]
    assert here.rows("WITH x(n) AS (VALUES (1), (2)) SELECT count(*) FROM x") == [[2]]
    assert here.rows("SELECT count(*) FROM quotes") == [[3]]


NOT_SELECTS = (
    "DELETE FROM quotes",
    "/* SELECT */ DELETE FROM quotes",
    "-- SELECT\nUPDATE quotes SET price = 1",
    "DROP VIEW quotes",
    "PRAGMA table_info(quotes)",
    "ATTACH 'x.db' AS x",
    "COPY quotes TO '/tmp/x'",
    "DO $$ BEGIN END $$",
    "SET ROLE postgres",
    "EXPLAIN SELECT 1",
    "BEGIN",
    "; SELECT 1",
    "",
)


@pytest.mark.parametrize("query", NOT_SELECTS)
def test_what_does_not_begin_as_a_select_is_refused(here: Desk, query: str) -> None:
    assert refusal(here, query) in (NOT_A_SELECT, BAD_QUERY)


CHANGES = (
    "WITH x AS (SELECT 1) DELETE FROM quotes",
    "WITH x AS (SELECT 1) INSERT INTO quotes(symbol) SELECT 'x'",
    "WITH x AS (DELETE FROM quotes RETURNING *) SELECT * FROM x",
    "SELECT * INTO other FROM quotes",
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM quotes",
    "SELECT 1) AS x; DELETE FROM quotes; SELECT * FROM (SELECT 1",
    "SELECT * FROM quotes FOR UPDATE",
    "SELECT * FROM quotes; --",
)


@pytest.mark.parametrize("query", CHANGES)
def test_nothing_is_changed_by_what_begins_as_a_select(here: Desk, query: str, engine: str) -> None:
    if query.endswith("; --") and engine == "sqlite":
        assert len(here.rows(query)) == 3  # SQLite takes a comment behind a semicolon
    else:
        assert refusal(here, query) in (NOT_A_SELECT, BAD_QUERY)
    assert here.rows("SELECT count(*) FROM quotes") == [[3]]


HIDDEN = (
    *("token", "dataset", "secret", "workspace", "log", "alembic_version", "d1", "d2", "vault", "beta.vault"),
    *(
        "main.token",
        "public.token",
        'public."token"',
        "public.d2",
        "main.d2",
        "ws_beta.vault",
        '"beta.vault"',
    ),
    *(
        "sqlite_master",
        "sqlite_schema",
        "sqlite_temp_master",
        "temp.sqlite_temp_schema",
        "main.sqlite_master",
    ),
    *("pragma_table_list", "pragma_database_list", "pragma_table_info('token')", "dbstat", "bytecode('x')"),
    *("pg_class", "pg_catalog.pg_class", '"pg_roles"', "information_schema.tables", "pg_stat_activity"),
)


@pytest.mark.parametrize("table", HIDDEN)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM {}",
        "SELECT EXISTS (SELECT 1 FROM {})",
        "WITH quotes AS (SELECT * FROM {}) SELECT * FROM quotes",
    ],
)
def test_no_table_but_the_workspaces_own_datasets_is_read(
    here: Desk, query: str, table: str, engine: str
) -> None:
    if engine == "sqlite" and table in ("d1", "main.d1") and "*" not in query:
        return  # how many rows its own dataset has it may know
    assert refusal(here, query.format(table)) is BAD_QUERY


def test_each_workspace_sees_its_own(here: Desk) -> None:
    assert here.rows("SELECT k FROM vault", "beta") == [[SECRET]]
    assert here.rows("SELECT k FROM VAULT", "BETA") == [[SECRET]]
    assert refusal(here, "SELECT * FROM quotes", "beta") is BAD_QUERY


def test_a_workspace_without_datasets_is_not_asked_about(here: Desk) -> None:
    assert refusal(here, "SELECT 1", "nobody") is DATASET_NOT_FOUND


def test_columns_of_our_own_are_not_shown(here: Desk) -> None:
    for column in ("_key", "_at", "_p", "c1"):
        assert refusal(here, f"SELECT q.{column} FROM quotes AS q") is BAD_QUERY


def test_a_query_without_end_is_cut_by_time(own: Desk) -> None:
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT {} FROM r"
    assert refusal(own, endless.format("count(*)")) is QUERY_TOO_SLOW
    assert own.ask(endless.format("n"))["truncated"]


def test_a_cartesian_join_is_cut_by_time(own: Desk) -> None:
    numbers = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3000) SELECT "
    assert refusal(own, numbers + "max(a.n * b.n * c.n) FROM r AS a, r AS b, r AS c") is QUERY_TOO_SLOW


def test_an_answer_is_cut_at_its_rows_and_at_its_bytes(own: Desk) -> None:
    numbers = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {}) SELECT {} FROM r"
    whole = own.ask(numbers.format(20, "n"))
    assert (len(whole["rows"]), whole["truncated"]) == (20, False)
    cut = own.ask(numbers.format(21, "n"))
    assert (cut["rows"], cut["truncated"]) == (whole["rows"], True)
    wide = own.ask(numbers.format(20, "'" + "x" * 1_000 + "' AS x"))
    assert (len(wide["rows"]), wide["truncated"]) == (9, True)


def test_a_row_that_is_larger_than_an_answer_is_refused(own: Desk, engine: str) -> None:
    large = "printf('%.*c', 20000, 'x')" if engine == "sqlite" else "repeat('x', 20000)"
    assert refusal(own, f"SELECT {large} AS x") is QUERY_TOO_LARGE


def test_a_hundred_megabytes_are_not_fetched(here: Desk, engine: str) -> None:
    doubled = "SELECT 0, 'xxxxxxxxxx' UNION ALL SELECT n + 1, s || s FROM d WHERE n < 23"
    queries = [f"WITH RECURSIVE d(n, s) AS ({doubled}) SELECT s FROM d"]
    if engine == "postgres":  # SQLite makes nothing of a function whose text would be that long
        queries.append("SELECT repeat('x', 100000000) AS x")
    for query in queries:
        assert refusal(here, query) in (QUERY_TOO_LARGE, QUERY_TOO_SLOW)


def test_what_is_nested_too_deep_is_refused(here: Desk) -> None:
    for query in (
        "SELECT " + "(" * 10_000 + "1" + ")" * 10_000 + " AS x",
        "SELECT " + "1+" * 20_000 + "1 AS x",
        "SELECT 1 AS x" + " UNION ALL SELECT 1" * 3_000,
    ):
        try:
            here.ask(query)
        except Problem as refused:
            assert refused.code in (BAD_QUERY, QUERY_TOO_LARGE, QUERY_TOO_SLOW)


def test_views_of_views_of_views_do_not_grow_for_ever(own: Desk) -> None:
    steps = ", ".join(f"x{n} AS (SELECT a.n FROM x{n - 1} AS a, x{n - 1} AS b)" for n in range(1, 40))
    code = refusal(own, f"WITH x0 AS (SELECT 1 AS n UNION ALL SELECT 2), {steps} SELECT count(*) FROM x39")
    assert code in (QUERY_TOO_SLOW, QUERY_TOO_LARGE, BAD_QUERY)


def test_a_fault_in_the_query_is_its_own(here: Desk) -> None:
    for query in ("SELECT", "SELECT * FROM", "SELECT nope FROM quotes", "SELECT 'open", "SELECT /* open"):
        assert refusal(here, query) is BAD_QUERY


def test_what_is_asked_follows_a_dataset_that_grows_is_renamed_and_goes(own: Desk) -> None:
    first = own.make("acme", "more", mode="evolve", schema={"type": "object", "properties": {}})
    assert own.rows("SELECT count(*) FROM more") == [[0]]
    grown = evolve(first, Additions(columns=(NewType("x", ColumnType.STRING),)))
    assert own.store.write(lambda c: datasets.replace(c, first, grown)).result(DEADLINE)
    assert own.ask("SELECT * FROM more")["columns"] == ["_id", "_time", "x"]
    renamed = replace(grown, name="others", version=grown.version + 1)
    assert own.store.write(lambda c: datasets.rename(c, grown, renamed)).result(DEADLINE)
    assert own.rows("SELECT count(x) FROM others") == [[0]]
    assert refusal(own, "SELECT * FROM more") is BAD_QUERY
    assert own.store.write(lambda c: datasets.retire(c, renamed)).result(DEADLINE)
    assert refusal(own, "SELECT * FROM others") is BAD_QUERY


def test_names_that_sql_or_our_own_tables_have_are_a_datasets_like_any_other(own: Desk) -> None:
    for name in ("token", "d1", "json_each", "2024", "select", "temp", "main", "v", "Long" * 16):
        own.make("acme", name, mode="evolve", schema={"type": "object", "properties": {}})
        assert own.ask(f'SELECT * FROM "{name.lower()}"')["columns"] == ["_id", "_time"]
        assert own.rows(f'SELECT count(*) FROM "{name.lower()}"') == [[0]]
    assert own.rows(f"SELECT count(*) FROM {'Long' * 16}") == [[0]]


def test_a_column_has_its_name_however_long_it_is(own: Desk) -> None:
    names = ["n" * 63, "ü" * 40 + "x", "ü" * 40 + "y", "n" * 256]
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in names}}
    made = own.make("acme", "wide", schema=schema | {"required": names[:1]}, columnMapping={"key": names[0]})
    own.put(made, {name: number for number, name in enumerate(names)})
    quoted = ", ".join(f'"{name}"' for name in names)
    assert own.rows(f"SELECT {quoted} FROM wide") == [[0, 1, 2, 3]]
