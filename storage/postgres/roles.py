"""A role on PostgreSQL for each workspace's analysts, with rights on its views only.

Roles belong to the whole server, so their names hold a mark of this database's secret besides the workspace.
The views are ours and read with our rights, so a role needs none on any table. What is granted by default
within a schema holds for views that are made later, too: nothing has to follow a dataset that comes, grows,
is renamed or goes.
"""

from contextlib import suppress
from hashlib import blake2b
from hmac import digest
from typing import Final, NamedTuple

import psycopg
from sqlalchemy import Connection, select, text

from rules.errors import SQL_UNAVAILABLE, Problem
from rules.names import fold
from storage import identity
from storage.identity import SECRET
from storage.views import quoted, run, schema_name

CONNECTIONS: Final = 10
"""Connections that a role may have, over all processes of a broker."""

TEMPORARY: Final = "1GB"
"""Temporary files that one query may fill, where the server lets us say so."""

_LOCK: Final = 0x51_01_CF
"""The advisory lock under which roles are made: rights of a schema can't be changed by two at once."""

_KEPT_AS: Final = "analysts"
_NAMED: Final = 20

_VIEWS: Final = text(
    "SELECT quote_ident(view.relname) FROM pg_class AS view "
    "JOIN pg_namespace AS space ON space.oid = view.relnamespace AND space.nspname = :schema "
    "JOIN pg_roles AS us ON us.oid = view.relowner AND us.rolname = current_user "
    "WHERE view.relkind = 'v'"
)
_LACKS: Final = text(
    "SELECT NOT has_schema_privilege(role.oid, space.oid, 'USAGE') OR EXISTS "
    "(SELECT FROM pg_class AS view JOIN pg_roles AS us ON us.oid = view.relowner "
    "AND us.rolname = current_user WHERE view.relkind = 'v' AND view.relnamespace = space.oid "
    "AND NOT has_table_privilege(role.oid, view.oid, 'SELECT')) "
    "FROM pg_roles AS role, pg_namespace AS space WHERE role.rolname = :role AND space.nspname = :schema"
)
_MAY_MAKE: Final = text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")


class Login(NamedTuple):
    """How a workspace's analysts get in."""

    role: str
    password: str
    schema: str


def login(secret: bytes, workspace: str) -> Login:
    """Return the login of a workspace's analysts; who does not have the secret can't know the password."""
    whole = blake2b(fold(workspace).encode(), digest_size=12).hexdigest()
    mark = blake2b(secret, digest_size=4, person=b"sluice roles").hexdigest()
    role = f"sluice_{mark}_{fold(workspace)[:_NAMED]}_{whole}"
    return Login(role, digest(secret, role.encode(), "sha256").hex(), schema_name(workspace))


def may_make_roles(connection: Connection) -> bool:
    """Return whether our user may make roles."""
    return bool(connection.execute(_MAY_MAKE).scalar())


def ready_role(connection: Connection, workspace: str) -> Login | None:
    """Return the login of a workspace's analysts, None where its role lacks something or is not there."""
    secret = connection.execute(select(SECRET.c.value).where(SECRET.c.name == _KEPT_AS)).scalar()
    if secret is None:
        return None
    wanted = login(bytes(secret), workspace)
    lacks = connection.execute(_LACKS, {"role": wanted.role, "schema": wanted.schema}).scalar()
    return wanted if lacks is False else None


def ensure_role(connection: Connection, workspace: str) -> Login:
    """Return the login of a workspace's analysts, once its role is there with the rights it shall have.

    Raises: Problem(sql_unavailable) where our user may not make roles.
    """
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    wanted = login(identity.secret(connection, _KEPT_AS), workspace)
    user = connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar_one()
    try:
        _make(connection, wanted)
        _grant(connection, wanted)
    except psycopg.errors.InsufficientPrivilege as error:
        raise unavailable(
            f"the broker's user {user} may not make roles: ALTER ROLE {user} CREATEROLE"
        ) from error
    return wanted


def unavailable(what: str) -> Problem:
    """Return the refusal of any query, for a reason that the database's operator has to mend."""
    return Problem(SQL_UNAVAILABLE, f"Queries in SQL need a role for each workspace, and {what}.")


def _make(connection: Connection, wanted: Login) -> None:
    there = connection.execute(
        text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": wanted.role}
    ).scalar()
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    # hashed here: statements that make roles may stand in the server's log
    hashed = raw.pgconn.encrypt_password(wanted.password.encode(), wanted.role.encode(), b"scram-sha-256")
    command = "ALTER" if there else "CREATE"
    run(
        connection,
        f"{command} ROLE {quoted(wanted.role)} LOGIN NOINHERIT CONNECTION LIMIT {CONNECTIONS} "
        f"PASSWORD '{hashed.decode()}'",
    )
    for name, value in (("default_transaction_read_only", "on"), ("statement_timeout", "60s")):
        run(connection, f"ALTER ROLE {quoted(wanted.role)} SET {name} = '{value}'")
    # only a superuser, or who was granted it, may set this
    with suppress(psycopg.errors.InsufficientPrivilege), connection.begin_nested():
        run(connection, f"ALTER ROLE {quoted(wanted.role)} SET temp_file_limit = '{TEMPORARY}'")


def _grant(connection: Connection, wanted: Login) -> None:
    """Give the role its rights. Each statement may be repeated."""
    role, schema = quoted(wanted.role), quoted(wanted.schema)
    run(connection, f"CREATE SCHEMA IF NOT EXISTS {schema}")
    run(connection, f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    run(connection, f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}")
    for view in connection.execute(_VIEWS, {"schema": wanted.schema}).scalars().all():
        run(connection, f"GRANT SELECT ON {schema}.{view} TO {role}")
    may = "SELECT has_database_privilege(:role, current_database(), 'CONNECT')"
    if not connection.execute(text(may), {"role": wanted.role}).scalar():
        name = connection.exec_driver_sql("SELECT quote_ident(current_database())").scalar_one()
        run(connection, f"GRANT CONNECT ON DATABASE {name} TO {role}")
