"""The view analysts see of a dataset: its records under their real names.

On SQLite it is called `workspace.dataset`. On PostgreSQL it is `dataset` in a schema of the workspace,
`ws_workspace`: who has the schema in its search path needs no more than the dataset's name, and rights are
given by schema. Names are cut there at 63 bytes, so a longer one ends in a hash of the whole.
"""

import logging
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Final

from sqlalchemy import Connection, Table, text

from rules.names import fold
from rules.schema.dataset import ColumnType, Dataset
from storage.sql import is_postgres
from storage.tables import AT, ID, physical, stored_columns, table_of

logger = logging.getLogger(__name__)

LONGEST_NAME: Final = 63
_KEPT: Final = 54

_COLUMNS: Final = text(
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:view) AND attnum > 0 "
    "AND NOT attisdropped ORDER BY attnum"
)
_BUILT_ON: Final = text(
    "SELECT DISTINCT rule.ev_class::regclass::text FROM pg_depend AS need "
    "JOIN pg_rewrite AS rule ON rule.oid = need.objid "
    "WHERE need.classid = 'pg_rewrite'::regclass AND need.refobjid = to_regclass(:view) "
    "AND rule.ev_class <> need.refobjid ORDER BY 1 LIMIT 20"
)

_MOMENT: Final = "TIMESTAMPTZ 'epoch' + {0} / 1000 * INTERVAL '1 microsecond'"
_FRACTION: Final = "(({0} % 1000000000 + 1000000000) % 1000000000)"
_WRITTEN: Final = (
    f"strftime('%Y-%m-%dT%H:%M:%S', ({{0}} - {_FRACTION}) / 1000000000, 'unixepoch') "
    f"|| printf('.%09dZ', {_FRACTION})"
)


def make_view(connection: Connection, dataset: Dataset) -> None:
    """Make the dataset's view."""
    if is_postgres(connection):
        run(connection, f"CREATE SCHEMA IF NOT EXISTS {quoted(schema_name(dataset.workspace))}")
    _define(connection, "CREATE VIEW", dataset, dict(_shown(dataset, postgres=is_postgres(connection))))


def grow_view(connection: Connection, dataset: Dataset) -> None:
    """Have the view show the columns that its table got.

    On PostgreSQL they come behind those it had, so that what others have built on it stays.
    """
    shown = dict(_shown(dataset, postgres=is_postgres(connection)))
    if is_postgres(connection):
        had = connection.execute(_COLUMNS, {"view": view_name(connection, dataset)}).scalars().all()
        if had and shown.keys() >= set(had):
            shown = {**{name: shown[name] for name in had}, **shown}
            _define(connection, "CREATE OR REPLACE VIEW", dataset, shown)
            return
    drop_view(connection, dataset)
    make_view(connection, dataset)


def rename_view(connection: Connection, old: Dataset, new: Dataset) -> None:
    """Give the view of a dataset its new name; on PostgreSQL what others have built on it stays."""
    if old.folded == new.folded:  # spelled otherwise, it is the same view
        return
    if is_postgres(connection):
        name = quoted(cut_name(new.folded))
        run(connection, f"ALTER VIEW IF EXISTS {view_name(connection, old)} RENAME TO {name}")
    else:
        drop_view(connection, old)
        make_view(connection, new)


def drop_view(connection: Connection, dataset: Dataset) -> None:
    """Drop the dataset's view, if it is there; on PostgreSQL with what others have built on it."""
    view = view_name(connection, dataset)
    if not is_postgres(connection):
        run(connection, f"DROP VIEW IF EXISTS {view}")
        return
    built = connection.execute(_BUILT_ON, {"view": view}).scalars().all()
    run(connection, f"DROP VIEW IF EXISTS {view} CASCADE")
    if built:
        logger.warning(
            "Dropped with the view %s, which a change of its dataset does not leave as it was: %s, and what "
            "is built on it. Make it anew if the dataset is still there.",
            view, ", ".join(built),
            extra={"action": "view_dropped"},
        )  # fmt: skip


def _define(connection: Connection, command: str, dataset: Dataset, shown: Mapping[str, str]) -> None:
    columns = ", ".join(f"{what} AS {quoted(name)}" for name, what in shown.items())
    table = table_of(dataset).name
    run(connection, f"{command} {view_name(connection, dataset)} AS SELECT {columns} FROM {table}")  # noqa: S608


def schema_name(workspace: str) -> str:
    """Return the name of a workspace's schema on PostgreSQL."""
    return cut_name(f"ws_{fold(workspace)}")


def shown_by_sqlite(dataset: Dataset) -> str:
    """Return the SELECT of what the dataset's view on SQLite shows, with times as texts.

    They are RFC 3339 in UTC, always with nine decimals, so that they are ordered as texts, too.
    """
    times = {AT, *(physical(c) for c in stored_columns(dataset) if c.type is ColumnType.DATETIME)}
    plain = {quoted(name): _WRITTEN.format(quoted(name)) for name in times}
    columns = ", ".join(
        f"{plain.get(what, what)} AS {quoted(name)}" for name, what in _shown(dataset, postgres=False)
    )
    return f"SELECT {columns} FROM main.{table_of(dataset).name}"  # noqa: S608 - names are surrogates


def cut_name(name: str) -> str:
    """Return a name as PostgreSQL can keep it: one of more than 63 bytes ends in a hash of the whole."""
    whole = name.encode()
    if len(whole) <= LONGEST_NAME:
        return name
    return f"{whole[:_KEPT].decode(errors='ignore')}~{blake2b(whole, digest_size=4).hexdigest()}"


def view_name(connection: Connection, dataset: Dataset) -> str:
    """Return the view's name as a statement takes it."""
    if is_postgres(connection):
        return f"{quoted(schema_name(dataset.workspace))}.{quoted(cut_name(dataset.folded))}"
    return quoted(f"{fold(dataset.workspace)}.{dataset.folded}")


def _shown(dataset: Dataset, *, postgres: bool) -> Iterator[tuple[str, str]]:
    """Yield each column of the view with what it shows."""
    table = table_of(dataset)
    yield "_id", quoted(ID)
    yield "_time", _moment(table, AT) if postgres else quoted(AT)
    taken = {"_id", "_time"}
    for column in stored_columns(dataset):
        name = cut_name(column.name) if postgres else column.name
        while fold(name) in taken:  # SQLite's view columns match without case, properties do not
            name += "_"
        taken.add(fold(name))
        if column.type is ColumnType.UNSIGNED:  # kept as texts
            yield name, f"CAST({quoted(physical(column))} AS NUMERIC(20, 0))"
        elif postgres and column.type is ColumnType.DATETIME:
            yield name, _moment(table, physical(column))
        else:
            yield name, quoted(physical(column))


def _moment(table: Table, column: str) -> str:
    """Return nanoseconds as a timestamp, of which PostgreSQL keeps the microseconds."""
    return _MOMENT.format(quoted(table.c[column].name))


def quoted(name: str) -> str:
    """Return a name as a statement takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def run(connection: Connection, statement: str) -> None:
    """Run a statement without parameters on the driver: a `%` in a name is no placeholder."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()
