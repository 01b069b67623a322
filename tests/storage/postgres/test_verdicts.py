"""PostgreSQL's errors, raised by PostgreSQL: later, never, or neither."""

import psycopg
import pytest

from rules.errors import Later, Never
from storage.postgres.engine import PostgresStore
from storage.postgres.verdicts import Contended, Stale, verdicts

DEADLINE = 60.0

MAKE = (
    "CREATE TABLE t (n bigint NOT NULL, d double precision, s text CHECK (length(s) < 5), short varchar(2));"
    "CREATE UNIQUE INDEX ON t (s)"
)


def raised(code: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'it is so' USING ERRCODE = '{code}'; END $$"


@pytest.mark.parametrize(
    "code",
    [
        *("08006", "40001", "40P01", "53100", "53200", "53300"),
        *("55P03", "57014", "57P01", "57P03", "58030", "25P03", "25006"),
    ],
)
def test_what_passes_by_itself_is_later(store: PostgresStore, code: str) -> None:
    assert isinstance(store.write(lambda c: c.exec_driver_sql(raised(code))).exception(DEADLINE), Later)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("INSERT INTO t (n) VALUES (9223372036854775808)", "number_out_of_range"),
        ("INSERT INTO t (n) VALUES (NULL)", "schema_violation"),
        ("INSERT INTO t (n, s) VALUES (1, 'too long')", "schema_violation"),
        ("INSERT INTO t (n, short) VALUES (1, 'abc')", "record_too_large"),
        ("INSERT INTO t (n) VALUES ('x')", "wrong_type"),
        ("INSERT INTO t (n) VALUES ('{}'::json)", "wrong_type"),
        ("INSERT INTO t (n, d) VALUES (1, '1e999')", "number_out_of_range"),
        ("SELECT convert_from('\\xff'::bytea, 'UTF8')", "bad_text"),
    ],
)
def test_what_no_time_mends_is_never_and_says_what(store: PostgresStore, statement: str, code: str) -> None:
    store.write(lambda c: c.exec_driver_sql(MAKE)).result(DEADLINE)
    error = store.write(lambda c: c.exec_driver_sql(statement)).exception(DEADLINE)
    assert isinstance(error, Never)
    assert error.code.name == code
    assert "\n" not in error.message


def test_a_key_that_no_index_takes_is_never(store: PostgresStore) -> None:
    import os

    store.write(lambda c: c.exec_driver_sql("CREATE TABLE t (k bytea UNIQUE)")).result(DEADLINE)
    value = os.urandom(8_000).hex()
    error = store.write(lambda c: c.exec_driver_sql(f"INSERT INTO t VALUES ('\\x{value}')")).exception(
        DEADLINE
    )
    assert isinstance(error, Never)
    assert error.code.name == "record_too_large"


def test_a_text_with_a_nul_is_never(store: PostgresStore) -> None:
    error = store.write(lambda c: c.exec_driver_sql("SELECT %s", ("a\0b",))).exception(DEADLINE)
    assert isinstance(error, Never)
    assert error.code.name == "bad_text"


@pytest.mark.parametrize("code", ["42P01", "42601", "42703", "XX000", "P0001", "0A000"])
def test_what_we_do_not_know_stays_what_it_is(store: PostgresStore, code: str) -> None:
    error = store.write(lambda c: c.exec_driver_sql(raised(code))).exception(DEADLINE)
    assert error is not None
    assert not isinstance(error, Later | Never)


def test_a_statement_prepared_before_its_table_changed_is_run_again(store: PostgresStore) -> None:
    store.write(lambda c: c.exec_driver_sql("CREATE TABLE t AS SELECT 1::bigint AS n")).result(DEADLINE)
    for _ in range(12):  # each reading connection has it prepared by then
        futures = [store.read(lambda c: c.exec_driver_sql("SELECT n FROM t").scalar_one()) for _ in range(8)]
        assert [future.result(DEADLINE) for future in futures] == [1] * 8
    store.write(lambda c: c.exec_driver_sql("ALTER TABLE t ALTER n TYPE double precision")).result(DEADLINE)
    futures = [store.read(lambda c: c.exec_driver_sql("SELECT n FROM t").scalar_one()) for _ in range(16)]
    assert [future.result(DEADLINE) for future in futures] == [1.0] * 16


def test_words_do_not_decide() -> None:
    with pytest.raises(psycopg.ProgrammingError), verdicts():
        raise psycopg.ProgrammingError("the connection was lost, a deadlock, disk full")
    with pytest.raises(Contended), verdicts():
        raise psycopg.errors.DeadlockDetected("x")
    assert issubclass(Stale, Contended)
