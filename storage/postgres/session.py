"""Connections to PostgreSQL: how they are made, and what holds on each of them."""

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Not READ WRITE: that would overrule an operator who has made the database read-only."""

READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

LOCK_MS: Final = 1_000
READ_MS: Final = 60_000
WRITE_MS: Final = 600_000
POOL_SECONDS: Final = 30.0

NETWORK: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "client_encoding": "utf8",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is, as libpq takes it (`postgresql://…`), and who calls it (`application_name`)."""

    url: str
    name: str

    def connect(self) -> "psycopg.Connection[Any]":
        """Open a connection; one that loses its server notices within some ten seconds.

        Raises: psycopg.Error.
        """
        given = conninfo_to_dict(self.url)
        return psycopg.connect(**{**NETWORK, "application_name": self.name, **given, "autocommit": True})


def engine(address: Address, begin: str, size: int, idle_ms: int) -> Engine:
    """Return an engine of `size` connections whose transactions start with `begin`.

    A transaction that does nothing for `idle_ms` is ended by the server: a process that was stopped in one
    would hold its rows for ever.
    """
    settings = {
        "lock_timeout": LOCK_MS,
        "statement_timeout": READ_MS if begin == READ else WRITE_MS,
        "idle_in_transaction_session_timeout": idle_ms,
        "extra_float_digits": 1,
        "jit": "off",
    }

    def connect() -> "psycopg.Connection[Any]":
        raw = address.connect()
        for name, value in settings.items():
            raw.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
        # a commit that is told before it is durable would be told of nothing after a crash
        raw.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        return raw

    made = create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        hide_parameters=True,
        use_native_hstore=False,
    )

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return made
