"""What our SQL is built from."""

from typing import Annotated, Any, Final, cast

import msgspec
from sqlalchemy import BigInteger, ColumnElement, RowMapping, Table
from sqlalchemy.dialects import sqlite
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


def upsert(into: Table) -> sqlite.Insert:
    """Return an INSERT that can say ON CONFLICT."""
    return sqlite.insert(into)


def to_text(value: Any) -> str:
    """Return a JSON value as the text it is kept as."""
    return msgspec.json.encode(value).decode()


def from_text(text: str | bytes) -> Any:
    """Return the JSON value that `to_text` kept."""
    return msgspec.json.decode(text)
