"""The store on PostgreSQL: connections that are lost, locks that are held, sessions that are bounded."""

import threading
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import Connection, text

from rules.errors import Later, Unreachable
from rules.schema.declare import declare
from storage import datasets
from storage.migrate import DatabaseError, migrate
from storage.postgres.engine import BadAddress, PostgresStore
from tests.stage.patience import eventually_sync
from tests.stage.postgres import fresh_database, named, need_server, run

DEADLINE = 60.0
OURS = "application_name LIKE 'sluice %' AND datname = current_database()"
KILL_ALL = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}"


def one(c: Connection) -> int:
    return int(c.exec_driver_sql("SELECT 1").scalar_one())


@contextmanager
def holding(url: str, statement: str) -> Iterator[None]:
    """Hold what a statement locks, in a transaction of another process."""
    with psycopg.connect(url) as other:
        other.execute(statement.encode())
        yield
        other.rollback()


def test_connections_lost_while_they_were_idle_cost_nothing(url: str, store: PostgresStore) -> None:
    futures = [store.write(lambda c: c.exec_driver_sql("SELECT pg_sleep(0.1)")) for _ in range(8)]
    for future in [*futures, store.read(one)]:
        future.result(DEADLINE)
    run(url, KILL_ALL)
    for _ in range(10):
        assert store.write(one).result(DEADLINE) == 1
        assert store.read(one).result(DEADLINE) == 1


def test_a_connection_lost_within_a_body_is_later_and_the_next_body_has_another(
    url: str, store: PostgresStore
) -> None:
    def body(c: Connection) -> int:
        number = one(c)
        run(url, KILL_ALL)
        return number + one(c)

    assert isinstance(store.write(body).exception(DEADLINE), Later)
    assert store.write(one).result(DEADLINE) == 1


def test_a_database_that_is_away_is_later_and_told_once_each_way(url: str) -> None:
    told: list[str | None] = []
    name = url.rpartition("/")[2]
    away = named(need_server(), "postgres")
    with closing(PostgresStore(url, told=told.append)) as store:
        assert store.write(one).result(DEADLINE) == 1
        run(away, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        with psycopg.connect(away, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

        def lost() -> None:
            assert isinstance(store.write(one).exception(DEADLINE), Later)
            assert isinstance(store.read(one).exception(DEADLINE), Later)

        eventually_sync(lost, DEADLINE)
        assert len(told) == 1 and told[0]
        assert "sluice:" not in told[0]
        run(away, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert store.write(one).result(DEADLINE) == 1
        assert told[1:] == [None]


def test_a_server_that_is_not_there_is_later() -> None:
    with closing(PostgresStore("postgresql://nobody@127.0.0.1:1/nothing")) as store:
        error = store.read(one).exception(DEADLINE)
        assert isinstance(error, Unreachable)
        assert "127.0.0.1" in str(error)
        assert "127.0.0.1" not in error.shown


@pytest.mark.parametrize(
    "address", ["postgresql://h?hidden=1", "postgresql://u:hidden%zz@h/db", "postgresql://[hidden/db"]
)
def test_an_address_that_is_none_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(BadAddress) as refused:
        PostgresStore(address)
    whole = "".join(traceback.format_exception(refused.value))
    assert "postgresql://user:password@host" in str(refused.value)
    assert "hidden" not in whole


def test_of_two_threads_that_find_it_gone_and_back_the_later_one_is_heard_last() -> None:
    told: list[str | None] = []
    telling, back = threading.Event(), threading.Event()

    def tell(trouble: str | None) -> None:
        if trouble is not None:
            telling.set()
            back.wait(0.5)  # the other one tries to overtake
        told.append(trouble)

    with closing(PostgresStore("postgresql://nobody@127.0.0.1:1/nothing", told=tell)) as store:
        lost = threading.Thread(target=store._reached, args=("lost",))
        lost.start()
        assert telling.wait(DEADLINE)
        store._reached(None)
        back.set()
        lost.join(DEADLINE)
    assert told == ["lost", None]


def test_a_lock_that_is_held_is_later_and_what_waits_behind_goes_on(url: str, store: PostgresStore) -> None:
    dataset = declare("w", {"datasetId": "d"}, 0)
    made = store.write(lambda c: datasets.add(c, dataset, 1)).result(DEADLINE)
    assert made is not None
    with holding(url, f"SELECT * FROM d{made.id}"):  # a reader that does not end
        dropped = store.write(lambda c: datasets.end(c, made, 0, 1))
        assert isinstance(dropped.exception(DEADLINE), Later)
        assert store.write(one).result(DEADLINE) == 1
    store.write(lambda c: datasets.end(c, made, 0, 1)).result(DEADLINE)


def test_bodies_that_deadlock_are_both_done(store: PostgresStore) -> None:
    make = "CREATE TABLE t AS SELECT n, 0 AS v FROM generate_series(1, 2) n"
    store.write(lambda c: c.exec_driver_sql(make)).result(DEADLINE)
    meeting = threading.Barrier(2)
    tries: list[int] = []

    def body(first: int, c: Connection) -> None:
        tries.append(first)
        c.execute(text("UPDATE t SET v = v + 1 WHERE n = :n"), {"n": first})
        if len(tries) <= 2:
            meeting.wait(DEADLINE)
        c.execute(text("UPDATE t SET v = v + 1 WHERE n = :n"), {"n": 3 - first})

    futures = [store.write(lambda c, first=first: body(first, c)) for first in (1, 2)]
    for future in futures:
        future.result(DEADLINE)
    assert len(tries) > 2
    total = store.read(lambda c: c.exec_driver_sql("SELECT sum(v) FROM t").scalar_one())
    assert total.result(DEADLINE) == 4


def test_what_stays_taken_is_no_race_and_is_told_as_it_is(store: PostgresStore) -> None:
    store.write(lambda c: c.exec_driver_sql("CREATE TABLE t (n int PRIMARY KEY)")).result(DEADLINE)
    store.write(lambda c: c.exec_driver_sql("INSERT INTO t VALUES (1)")).result(DEADLINE)
    error = store.write(lambda c: c.exec_driver_sql("INSERT INTO t VALUES (1)")).exception(DEADLINE)
    assert "UniqueViolation" in str(error)
    assert not isinstance(error, Later)


def test_a_transaction_that_does_nothing_is_ended_by_the_server(url: str) -> None:
    with closing(PostgresStore(url, idle_ms=200)) as store:
        gone = threading.Event()

        def body(c: Connection) -> int:
            one(c)
            with psycopg.connect(url, autocommit=True) as other:
                held = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"

                def ended() -> None:
                    row = other.execute(held).fetchone()
                    assert row == (0,)

                eventually_sync(ended, DEADLINE)
            gone.set()
            return one(c)

        assert isinstance(store.write(body).exception(DEADLINE), Later)
        assert gone.is_set()
        assert store.write(one).result(DEADLINE) == 1


def test_sessions_are_bounded_and_durable(store: PostgresStore) -> None:
    def shown(c: Connection) -> dict[str, str]:
        names = ("lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")
        return {name: c.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names}

    assert store.write(shown).result(DEADLINE) == {
        "lock_timeout": "1s",
        "idle_in_transaction_session_timeout": "6s",
        "synchronous_commit": "on",
    }
    isolation = store.read(lambda c: c.exec_driver_sql("SHOW transaction_isolation").scalar_one())
    assert isolation.result(DEADLINE) == "repeatable read"


def test_a_commit_is_durable_where_the_database_says_otherwise(url: str) -> None:
    run(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")
    with closing(PostgresStore(url)) as store:
        found = store.write(lambda c: c.exec_driver_sql("SHOW synchronous_commit").scalar_one())
        assert found.result(DEADLINE) == "on"


def test_no_more_connections_are_taken_than_allowed(url: str) -> None:
    with closing(PostgresStore(url, writers=2, readers=1)) as store:
        sleep = "SELECT pg_sleep(0.01)"
        futures = [store.write(lambda c: c.exec_driver_sql(sleep)) for _ in range(30)]
        futures += [store.read(lambda c: c.exec_driver_sql(sleep)) for _ in range(30)]
        for future in futures:
            future.result(DEADLINE)
        with psycopg.connect(url) as other:
            query = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}"
            count = other.execute(query.encode()).fetchone()
    assert count == (3,)


def test_tables_are_made_once_by_many_who_start_at_once() -> None:
    with fresh_database(tables=False) as url:
        stores = [PostgresStore(url) for _ in range(4)]
        futures = [store.write(migrate) for store in stores]
        for future in futures:
            future.result(DEADLINE)
        tables = stores[0].read(
            lambda c: c.exec_driver_sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").scalar()
        )
        assert int(tables.result(DEADLINE) or 0) > 15
        for store in stores:
            store.close()


def test_the_tables_are_as_declared(store: PostgresStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from storage.migrate import METADATA

    def differences(c: Connection) -> list[object]:
        context = MigrationContext.configure(c, opts={"compare_type": True, "compare_server_default": False})
        return list(compare_metadata(context, METADATA))

    assert store.read(differences).result(DEADLINE) == []


def test_a_database_that_can_not_hold_every_text_is_refused_with_a_sentence() -> None:
    server = need_server()
    run(server, "DROP DATABASE IF EXISTS sluice_latin")
    run(
        server,
        "CREATE DATABASE sluice_latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    try:
        with closing(PostgresStore(named(server, "sluice_latin"))) as store:
            assert isinstance(store.write(migrate).exception(DEADLINE), DatabaseError)
    finally:
        run(server, "DROP DATABASE sluice_latin WITH (FORCE)")


def test_a_database_that_was_made_read_only_is_read_and_written_later(url: str, store: PostgresStore) -> None:
    make = "CREATE TABLE t (n bigint)"
    add = "INSERT INTO t VALUES (1)"
    store.write(lambda c: c.exec_driver_sql(make)).result(DEADLINE)
    name = url.rpartition("/")[2]
    away = named(need_server(), "postgres")
    run(away, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    run(url, KILL_ALL)
    for _ in range(10):
        assert isinstance(store.write(lambda c: c.exec_driver_sql(add)).exception(DEADLINE), Later)
        assert store.read(one).result(DEADLINE) == 1
    run(away, f"ALTER DATABASE {name} RESET default_transaction_read_only")
    run(url, KILL_ALL)
    store.write(lambda c: c.exec_driver_sql(add)).result(DEADLINE)
    count = store.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM t").scalar_one()).result(DEADLINE)
    assert count == 1
