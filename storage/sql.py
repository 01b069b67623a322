"""What our SQL is built from."""

from typing import Annotated, Any, Final, cast

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, Dialect, Integer, RowMapping, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

Row = RowMapping
Where = ColumnElement[bool]

Big = Annotated[int, Field(sa_type=BigInteger)]
"""An integer of 64 bits on every engine: offsets, nanoseconds."""

NEVER_AGAIN: Final = {"sqlite_autoincrement": True}
"""Table arguments: a number that was given is not given again, also after its row is gone."""


def table(model: type[SQLModel]) -> Table:
    """Return the table behind a SQLModel class."""
    return cast(Table, cast(Any, model).__table__)


class Serial(TypeDecorator[int]):
    """A number the database gives, of 64 bits on every engine.

    SQLite numbers rows only where the column is called INTEGER, which has 64 bits there.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the engine's own type."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())


class Horizon(FunctionElement[int]):
    """The transaction number below which every transaction has ended, so nothing can appear there any more.

    One writer at a time commits on SQLite, where the numbers are all 0.
    """

    name = "horizon"
    type = BigInteger()
    inherit_cache = True


@compiles(Horizon)
def _everything(_element: Horizon, _compiler: Any, **_: Any) -> str:
    return str(2**63 - 1)


@compiles(Horizon, "postgresql")
def _ended(_element: Horizon, _compiler: Any, **_: Any) -> str:
    return "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"


def is_postgres(connection: Connection) -> bool:
    """Return whether the database is PostgreSQL; the other one is SQLite."""
    return connection.dialect.name == "postgresql"


def upsert(connection: Connection, into: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that can say ON CONFLICT, in the words of the connection's database."""
    return postgresql.insert(into) if is_postgres(connection) else sqlite.insert(into)


def to_text(value: Any) -> str:
    """Return a JSON value as the text it is kept as."""
    return msgspec.json.encode(value).decode()


def from_text(text: str | bytes) -> Any:
    """Return the JSON value that `to_text` kept."""
    return msgspec.json.decode(text)
