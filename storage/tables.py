"""A dataset's typed table and the view analysts see: made, widened, dropped.

Physical names are surrogates (`d7`, `c3`): a rename is a catalogue change, and no name can collide or be
cut. The unique index is on `_key`, the canonical bytes of the key's values, null included; for an unkeyed
record the packed origin.
"""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    cast,
    select,
)
from sqlalchemy.schema import CreateColumn, DropTable
from sqlalchemy.types import TypeEngine

from rules.names import fold
from rules.schema.dataset import Column as Property
from rules.schema.dataset import ColumnType, Dataset

KEY: Final = "_key"
ID: Final = "_id"
AT: Final = "_at"
PARTITION: Final = "_p"

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
    return _known_table(dataset.id, tuple(stored_columns(dataset)), bool(dataset.partition_by))


def _table(dataset_id: int, columns: tuple[Property, ...], partitioned: bool) -> Table:
    own = [Column(PARTITION, Integer, nullable=False)] if partitioned else []
    return Table(
        f"d{dataset_id}",
        MetaData(),
        Column(KEY, LargeBinary, nullable=False),
        Column(ID, Text, nullable=False),
        Column(AT, BigInteger, nullable=False),
        *own,
        *(Column(physical(column), _TYPES.get(column.type, Text)) for column in columns),
    )


_known_table = lru_cache(maxsize=4096)(_table)


def time_column(dataset: Dataset) -> str:
    """Return the physical column that orders the dataset's records: its date column, or the arrival."""
    return physical(dataset.by_name[dataset.date]) if dataset.date else AT


def create(connection: Connection, dataset: Dataset) -> None:
    """Make the table, its indexes and the view."""
    # a table of its own: an index is tied to the table it is made for, and the known one lives on
    table = _table(dataset.id, tuple(stored_columns(dataset)), bool(dataset.partition_by))
    Index(f"{table.name}_key", table.c[KEY], unique=True)
    Index(f"{table.name}_time", table.c[time_column(dataset)], table.c[ID])
    table.create(connection)
    _make_view(connection, dataset)


def widen(connection: Connection, old: Dataset, new: Dataset) -> None:
    """Add the columns that `new` has and `old` has not.

    On SQLite a column that went from integer to number needs nothing: it holds both.
    """
    before = {column.ordinal for column in stored_columns(old)}
    table = table_of(new)
    added = [column for column in stored_columns(new) if column.ordinal not in before]
    for column in added:
        clause = CreateColumn(table.c[physical(column)]).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {clause}")
    if added:
        _drop_view(connection, old)
        _make_view(connection, new)


def hide(connection: Connection, dataset: Dataset) -> None:
    """Drop the view: the name is free for another dataset from here on."""
    _drop_view(connection, dataset)


def drop(connection: Connection, dataset: Dataset) -> None:
    """Drop the table with all its rows."""
    connection.execute(DropTable(table_of(dataset), if_exists=True))


def view_name(dataset: Dataset) -> str:
    """Return the name of the dataset's view: `workspace.dataset`, folded."""
    return f"{fold(dataset.workspace)}.{dataset.folded}"


def _make_view(connection: Connection, dataset: Dataset) -> None:
    table = table_of(dataset)
    quote = connection.dialect.identifier_preparer.quote_identifier
    shown = [table.c[ID].label("_id"), table.c[AT].label("_time")]
    taken = {"_id", "_time"}
    for column in stored_columns(dataset):
        label = column.name
        while fold(label) in taken:  # a view's columns match without case, properties do not
            label += "_"
        taken.add(fold(label))
        shown.append(_shown(table, column).label(label))
    body = select(*shown).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"CREATE VIEW {quote(view_name(dataset))} AS {body}")


def _shown(table: Table, column: Property) -> ColumnElement[Any]:
    """Return what analysts see of a column: of unsigned integers, kept as texts, the number."""
    stored = table.c[physical(column)]
    return cast(stored, Numeric(20, 0)) if column.type is ColumnType.UNSIGNED else stored


def _drop_view(connection: Connection, dataset: Dataset) -> None:
    quote = connection.dialect.identifier_preparer.quote_identifier
    connection.exec_driver_sql(f"DROP VIEW IF EXISTS {quote(view_name(dataset))}")
