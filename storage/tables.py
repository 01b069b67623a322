"""A dataset's typed table: made, widened, dropped.

Physical names are surrogates (`d7`, `c3`): a rename is a catalogue change, and no name can collide or be
cut. The unique index is on `_key`, the canonical bytes of the key's values, null included; for an unkeyed
record the packed origin.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import TEXT
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine

from rules.schema.dataset import Column as Property
from rules.schema.dataset import ColumnType, Dataset
from storage.latest import Latest
from storage.sql import is_postgres

KEY: Final = "_key"
ID: Final = "_id"
AT: Final = "_at"
PARTITION: Final = "_p"

# compared by their bytes on every engine, in the order that the ends of a range are made for
_TEXT: Final = Text().with_variant(TEXT(collation="C"), "postgresql")

_TYPES: Final[dict[ColumnType, type[TypeEngine[Any]]]] = {
    ColumnType.INTEGER: BigInteger,
    ColumnType.NUMBER: Double,
    ColumnType.BOOLEAN: Boolean,
    ColumnType.DATETIME: BigInteger,
}


def physical(column: Property) -> str:
    """Return the name of a property's column in the table."""
    return f"c{column.ordinal}"


def stored_columns(dataset: Dataset) -> list[Property]:
    """Return the properties that have a column: all but those that were only ever null."""
    return [column for column in dataset.columns if column.type is not ColumnType.UNTYPED]


def table_of(dataset: Dataset) -> Table:
    """Return the table that this version of the dataset is stored in."""
    return _tables.of(dataset)


def copy_of(dataset: Dataset) -> Table:
    """Return the table in which the rows of this version are made anew, before it takes the other's place."""
    return _table(dataset, "_next")


def _table(dataset: Dataset, ending: str = "") -> Table:
    own = [Column(PARTITION, Integer, nullable=False)] if dataset.partition_by else []
    return Table(
        f"d{dataset.id}{ending}",
        MetaData(),
        Column(KEY, LargeBinary, nullable=False),
        Column(ID, _TEXT, nullable=False),
        Column(AT, BigInteger, nullable=False),
        *own,
        *(Column(physical(column), _TYPES.get(column.type, _TEXT)) for column in stored_columns(dataset)),
    )


_tables: Final = Latest(_table)


def time_column(dataset: Dataset) -> str:
    """Return the physical column that orders the dataset's records: its date column, or the arrival."""
    return physical(dataset.by_name[dataset.date]) if dataset.date else AT


def create(connection: Connection, dataset: Dataset) -> None:
    """Make the table and its indexes."""
    # a table of its own: an index is tied to the table it is made for, and the known one lives on
    _create(connection, dataset, _table(dataset), f"d{dataset.id}")


def create_copy(connection: Connection, dataset: Dataset) -> None:
    """Make the table for rows that are made anew, empty; what another attempt left is dropped."""
    drop_copy(connection, dataset)
    _create(connection, dataset, copy_of(dataset), f"d{dataset.id}_{dataset.version}")


def drop_copy(connection: Connection, dataset: Dataset) -> None:
    """Drop what an attempt to make the rows anew has left, if anything."""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {copy_of(dataset).name}")


def put_copy(connection: Connection, dataset: Dataset) -> None:
    """Put the copy in the place of the dataset's table, which is dropped; no view may show it."""
    drop(connection, dataset)
    connection.exec_driver_sql(f"ALTER TABLE {copy_of(dataset).name} RENAME TO {table_of(dataset).name}")


def _create(connection: Connection, dataset: Dataset, table: Table, named: str) -> None:
    Index(f"{named}_key", table.c[KEY], unique=True)
    Index(f"{named}_time", table.c[time_column(dataset)], table.c[ID])
    table.create(connection)


def missing(old: Dataset, new: Dataset) -> list[Property]:
    """Return the columns that the table of `new` has and that of `old` has not."""
    before = {column.ordinal for column in stored_columns(old)}
    return [column for column in stored_columns(new) if column.ordinal not in before]


def widened(connection: Connection, old: Dataset, new: Dataset) -> list[Property]:
    """Return the columns whose type must change. On SQLite none: a column of integers holds numbers too."""
    before = {column.ordinal: column.type for column in stored_columns(old)}
    columns = stored_columns(new) if is_postgres(connection) else []
    return [column for column in columns if before.get(column.ordinal, column.type) is not column.type]


def widen(connection: Connection, old: Dataset, new: Dataset) -> None:
    """Add the columns that `new` has and `old` has not, and widen those that went from integer to number.

    PostgreSQL adds columns without touching a row, and writes the table anew to widen one; no view may
    show it meanwhile.
    """
    table = table_of(new)
    clauses = [
        f"ADD COLUMN {CreateColumn(table.c[physical(column)]).compile(dialect=connection.dialect)}"
        for column in missing(old, new)
    ]
    for column in widened(connection, old, new):
        kind = table.c[physical(column)].type.compile(dialect=connection.dialect)
        clauses.append(f"ALTER COLUMN {physical(column)} TYPE {kind}")
    for clause in clauses:
        connection.exec_driver_sql(f"ALTER TABLE {table.name} {clause}")


def drop(connection: Connection, dataset: Dataset) -> None:
    """Drop the table with all its rows, and on PostgreSQL what still shows it."""
    cascade = " CASCADE" if is_postgres(connection) else ""
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table_of(dataset).name}{cascade}")
