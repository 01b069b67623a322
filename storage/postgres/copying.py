"""Rows appended to a table of PostgreSQL as they are, by COPY: for a whole database that moves there."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, Table


def copy_rows(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Append rows, whose values stand in the order of the table's columns; one row at a time is in memory.

    Raises: psycopg.Error, for a value that the table does not take; nothing of the rows is there then.
    """
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    with raw.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN'.encode()) as copy:
        for row in rows:
            copy.write_row(row)
