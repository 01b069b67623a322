"""What the role of a workspace may do is decided by PostgreSQL, even where we misread a query."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from infra.checks import roles
from rules.errors import QUERY_TOO_SLOW, SQL_UNAVAILABLE, Later, Problem
from rules.question import Bounds, question
from storage.postgres import analysts as under_test
from storage.postgres.analysts import PostgresAnalysts
from storage.postgres.engine import PostgresStore
from storage.postgres.roles import Login, ensure_role, may_make_roles, ready_role
from storage.postgres.statement import Statement
from tests.stage.patience import eventually_sync
from tests.stage.postgres import fresh_database, run
from tests.storage.analysing import DEADLINE, Desk, desk


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk("postgres", tmp_path_factory.mktemp("desk") / "unused", Bounds(seconds=2.0)) as made:
        assert made.rows("SELECT count(*) FROM vault", "beta") == [[1]]
        yield made


@pytest.fixture
def role(here: Desk) -> Login:
    return here.store.write(lambda c: ensure_role(c, "acme")).result(DEADLINE)


@pytest.fixture
def inside(here: Desk, role: Login) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """A connection as analysts of `acme` have it, on which anything may be tried."""
    address = {**conninfo_to_dict(here.address), "user": role.role, "password": role.password}
    with psycopg.connect(**address, autocommit=True) as connection:
        yield connection


def test_the_role_may_do_nothing_but_read_its_views(
    inside: "psycopg.Connection[tuple[object, ...]]", role: Login
) -> None:
    assert inside.execute("SELECT count(*) FROM ws_acme.quotes").fetchone() == (3,)
    may = inside.execute(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolinherit, rolconnlimit "
        "FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert may == (False, False, False, False, False, False, 10)
    assert inside.execute(
        "SELECT count(*) FROM pg_auth_members WHERE member = %s::regrole", [role.role]
    ).fetchone() == (0,)
    # in the catalogue all have the same rights; it is our own reading of a query that leads nobody there
    readable = inside.execute(
        "SELECT relnamespace::regnamespace::text, relname FROM pg_class WHERE relkind IN ('r', 'v', 'S') "
        "AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) "
        "AND CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'USAGE, SELECT, UPDATE') "
        "ELSE has_table_privilege(oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') END"
    ).fetchall()
    assert readable == [("ws_acme", "quotes")]


@pytest.mark.parametrize(
    "statement",
    [
        *("SELECT * FROM public.token", "SELECT * FROM public.secret", "SELECT * FROM public.d1"),
        *("SELECT * FROM ws_beta.vault", "SELECT * FROM public.d2", "DELETE FROM ws_acme.quotes"),
        *("UPDATE ws_acme.quotes SET symbol = 'x'", "CREATE TABLE x (n int)", "CREATE SCHEMA x"),
        *("CREATE VIEW ws_acme.x AS SELECT 1", "DROP VIEW ws_acme.quotes", "COPY ws_acme.quotes TO '/tmp/x'"),
        *("SELECT pg_read_file('/etc/passwd')", "SELECT lo_import('/etc/passwd')", "CREATE ROLE x"),
        *("SET ROLE sluice", "SET SESSION AUTHORIZATION sluice"),
        *("SELECT set_config('role', 'sluice', false)", "SELECT * FROM ws_acme.quotes FOR UPDATE"),
        *("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sluice'",),
        *("TABLE pg_authid", "SELECT * FROM pg_user_mapping", "COPY ws_acme.quotes TO PROGRAM 'true'"),
    ],
)
def test_by_rights_alone_it_reaches_nothing_else(
    inside: "psycopg.Connection[tuple[object, ...]]", statement: str
) -> None:
    inside.execute("SET default_transaction_read_only = off")  # whoever is in may say so; rights remain
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
        inside.execute(statement.encode())


def test_role_and_password_are_of_the_secret_and_the_workspace(here: Desk, role: Login) -> None:
    again = here.store.read(lambda c: ready_role(c, "ACME")).result(DEADLINE)
    assert again == role
    beta = here.store.read(lambda c: ready_role(c, "beta")).result(DEADLINE)
    assert beta is not None
    assert {beta.role, beta.password}.isdisjoint({role.role, role.password})
    long = [here.store.write(lambda c, n=n: ensure_role(c, "w" * 63 + n)).result(DEADLINE) for n in "ab"]
    assert len({login.role for login in long}) == 2
    assert max(len(login.role) for login in long) <= 63


def test_no_password_stands_in_what_the_server_is_told(here: Desk, role: Login) -> None:
    with psycopg.connect(here.address) as us:
        kept = us.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role.role]).fetchone()
    assert kept is not None
    assert str(kept[0]).startswith("SCRAM-SHA-256$")


def test_a_role_that_was_dropped_or_has_another_password_is_put_right(here: Desk, role: Login) -> None:
    run(here.address, f"ALTER ROLE \"{role.role}\" PASSWORD 'other'")
    assert here.rows("SELECT count(*) FROM quotes") == [[3]]
    run(here.address, f'DROP OWNED BY "{role.role}"', f'DROP ROLE "{role.role}"')
    assert here.rows("SELECT count(*) FROM quotes") == [[3]]
    run(here.address, f'REVOKE ALL ON ws_acme.quotes FROM "{role.role}"')
    assert here.rows("SELECT count(*) FROM quotes") == [[3]]


def test_roles_are_made_by_several_at_once(here: Desk) -> None:
    made = [here.store.write(lambda c: ensure_role(c, "acme")) for _ in range(8)]
    assert len({future.result(DEADLINE) for future in made}) == 1


def test_a_view_of_somebody_else_in_the_schema_is_not_opened(here: Desk, role: Login) -> None:
    run(
        here.address,
        "DROP VIEW IF EXISTS ws_acme.theirs",
        "DO $$ BEGIN CREATE ROLE somebody_else; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "GRANT CREATE, USAGE ON SCHEMA ws_acme TO somebody_else",
        "SET ROLE somebody_else; CREATE VIEW ws_acme.theirs AS SELECT 1 AS x",
    )
    with pytest.raises(Problem, match="bad_query"):
        here.ask("SELECT * FROM theirs")
    run(here.address, "DROP OWNED BY somebody_else", "DROP ROLE somebody_else")
    assert role is not None


def test_a_user_that_may_not_make_roles_is_told_what_to_grant() -> None:
    with fresh_database() as url:
        parts = conninfo_to_dict(url)
        name = f"plain_{parts['dbname']}"
        run(
            url, f"CREATE ROLE {name} LOGIN PASSWORD 'p'", f"ALTER DATABASE {parts['dbname']} OWNER TO {name}"
        )
        run(
            url,
            f"GRANT ALL ON SCHEMA public TO {name}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}",
        )
        run(url, f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}")
        address = f"postgresql://{name}:p@{parts['host']}:{parts['port']}/{parts['dbname']}"
        with (
            closing(PostgresStore(address)) as store,
            closing(PostgresAnalysts(store, address, Bounds(seconds=2.0))) as analysts,
        ):
            place = Desk(store, analysts, address)
            place.make("acme", "d", mode="evolve", schema={"type": "object", "properties": {}})
            assert not store.read(may_make_roles).result(DEADLINE)
            (found,) = store.read(roles).result(DEADLINE)
            assert f"ALTER ROLE {name} CREATEROLE" in found
            with pytest.raises(Problem) as refused:
                place.ask("SELECT 1 AS x")
            assert refused.value.code is SQL_UNAVAILABLE
            assert f"ALTER ROLE {name} CREATEROLE" in refused.value.detail
            run(url, f"ALTER ROLE {name} CREATEROLE")
            assert store.read(roles).result(DEADLINE) == []
            assert place.rows("SELECT count(*) FROM d") == [[0]]
        run(url, f"ALTER DATABASE {parts['dbname']} OWNER TO {parts['user']}")


def test_a_role_that_is_not_let_in_is_said_without_words_of_the_server(here: Desk, role: Login) -> None:
    run(here.address, f'ALTER ROLE "{role.role}" NOLOGIN')
    assert here.rows("SELECT count(*) FROM quotes") == [[3]]  # it is put right
    run(here.address, f"ALTER DATABASE {conninfo_to_dict(here.address)['dbname']} CONNECTION LIMIT 0")
    try:
        with pytest.raises(Problem) as refused:
            here.ask("SELECT 1 AS x")
    finally:
        run(here.address, f"ALTER DATABASE {conninfo_to_dict(here.address)['dbname']} CONNECTION LIMIT -1")
    assert refused.value.code is SQL_UNAVAILABLE
    assert role.role not in refused.value.detail


@pytest.mark.parametrize(
    "endless", ["SELECT pg_sleep(600)", "SELECT count(*) FROM generate_series(1, 1000000000000)"]
)
def test_a_query_that_undoes_the_servers_time_out_is_cut_by_ours(
    here: Desk, monkeypatch: pytest.MonkeyPatch, endless: str
) -> None:
    """Were our reading of a query deceived, and the server's time-out undone."""

    def unread(query: str, _: object) -> Statement:
        return Statement(query, [])

    def unbounded(self: PostgresAnalysts, login: Login, *, again: bool) -> object:
        connection = entered(self, login, again=again)
        assert connection is not None
        connection.execute("SET statement_timeout = 0")
        return connection

    entered = PostgresAnalysts._entered
    monkeypatch.setattr(under_test, "statement", unread)
    monkeypatch.setattr(PostgresAnalysts, "_entered", unbounded)
    with pytest.raises(Problem) as refused:
        here.ask(f"WITH x AS MATERIALIZED ({endless}) SELECT * FROM x")
    assert refused.value.code is QUERY_TOO_SLOW
    eventually_sync(lambda: running(here) == 0, 20.0)


def test_a_stop_ends_what_is_asked(tmp_path: Path) -> None:
    with desk("postgres", tmp_path / "unused", Bounds(seconds=60.0)) as here:
        asked = question(
            "acme", "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r", {}
        )
        answer = here.analysts.ask(asked)
        eventually_sync(lambda: running(here) == 1, 20.0)
        stopping = threading.Thread(target=here.analysts.close)
        stopping.start()
        assert isinstance(answer.exception(20.0), Later)
        stopping.join(20.0)
        assert not stopping.is_alive()


def running(here: Desk) -> int:
    """Return how many queries of analysts the server works on."""
    with psycopg.connect(here.address) as us:
        row = us.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice analysts' "
            "AND state = 'active' AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])
