"""A query is read as PostgreSQL reads it: what stands in texts, names and comments is no parameter."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules.errors import BAD_PARAMETER, BAD_QUERY, Problem
from storage.postgres.statement import Statement, statement


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT :a", "SELECT $1"),
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1"),
        ("SELECT ':b' || :a", "SELECT ':b' || $1"),
        ("SELECT 'it''s :b', :a", "SELECT 'it''s :b', $1"),
        ('SELECT ":b""" AS x, :a', 'SELECT ":b""" AS x, $1'),
        ("SELECT :a::text", "SELECT $1::text"),
        ("SELECT f(x := :a)", "SELECT f(x := $1)"),
        ("SELECT :a -- :b", "SELECT $1 -- :b"),
        ("SELECT /* :b /* :b */ :b */ :a", "SELECT /* :b /* :b */ :b */ $1"),
        ("SELECT $$:b$$, :a", "SELECT $$:b$$, $1"),
        ("SELECT $x$:b$$:b$x$, :a", "SELECT $x$:b$$:b$x$, $1"),
        ("SELECT a$$ AS x, :a, b$$", "SELECT a$$ AS x, $1, b$$"),
        ("SELECT é$$, :a, $$:b$$", "SELECT é$$, $1, $$:b$$"),
        ("SELECT :a ; \n", "SELECT $1 "),
        ("SELECT b'01', :a", "SELECT b'01', $1"),
    ],
)
def test_parameters_are_found_where_they_are(query: str, text: str) -> None:
    values = {"a": 1} | ({"b": 2} if "$2" in text else {})
    assert statement(query, values) == Statement(text, list(values.values()))


@pytest.mark.parametrize(
    "query",
    [
        *("SELECT * FROM pg_class", 'SELECT * FROM "pg_class"', "SELECT * FROM PG_CATALOG.pg_roles"),
        *("SELECT * FROM information_schema.tables", "SELECT 'x'::regclass", "SELECT to_regclass('x')"),
        *("SELECT query_to_xml('SELECT 1', true, true, '')", "SELECT set_config('role', 'x', false)"),
        *("SELECT current_setting('x')", "SELECT has_table_privilege('x', 'select')", "SELECT lo_get(1)"),
        *("SELECT U&'\\0041'", 'SELECT U&"\\0041"', "SELECT E'\\''", "SELECT $1", "SELECT e'x'"),
        *("SELECT 1)", "SELECT 1) AS x, (SELECT 2", "SELECT ')' )", "SELECT 1)) AS x UNION ((SELECT 2"),
        *("SELECT a/**/.pg_x", "SELECT pg_sleep(1)", "SELECT $$a$$ FROM pg_stat_activity"),
    ],
)
def test_what_leads_to_the_catalogue_or_out_of_the_query_is_refused(query: str) -> None:
    with pytest.raises(Problem) as refused:
        statement(query, {})
    assert refused.value.code is BAD_QUERY


def test_names_that_only_look_a_little_like_it_are_taken() -> None:
    query = "SELECT region, lo_price, item_description, has_it, regularly FROM t WHERE x = 'pg_class'"
    assert statement(query, {}).text == query


@pytest.mark.parametrize(
    ("query", "values"), [("SELECT :a", {}), ("SELECT 1", {"a": 1}), ("SELECT ':a'", {"a": 1})]
)
def test_parameters_and_values_must_be_the_same(query: str, values: dict[str, int]) -> None:
    with pytest.raises(Problem) as refused:
        statement(query, values)
    assert refused.value.code is BAD_PARAMETER


@given(st.text("'\"$-/*:aeEu&(); \n\\_1é", max_size=60))
@example("/*")
@example("'")
@example("$$")
def test_any_text_is_read_to_its_end(query: str) -> None:
    try:
        found = statement(query, {})
    except Problem as refused:
        assert refused.code in (BAD_QUERY, BAD_PARAMETER)
    else:
        assert found.text == query.rstrip().removesuffix(";")
        assert found.values == []


def test_a_long_query_of_openings_takes_no_long_time() -> None:
    for piece in ("'", '"', "/*", "$$", "$a$", "--", "e'", "(", "*/", "'\"", "/*/"):
        try:
            statement(piece * (60_000 // len(piece)), {})
        except Problem as refused:
            assert refused.code is BAD_QUERY
