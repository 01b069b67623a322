"""The steps between versions of our tables: they keep what was kept, and lead to the models."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from storage import migrate as migrations
from storage.migrate import HEAD, METADATA, migrate
from storage.sqlite.engine import SqliteStore


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "old.db")
    yield store
    store.close()


def up_to(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def test_a_database_of_the_first_version_is_brought_to_the_newest_with_what_it_holds(
    empty: SqliteStore,
) -> None:
    row = "INSERT INTO write_own VALUES ('a', 0, 3, 40, x'90', 9)"
    empty.write(lambda c: up_to(c, "0001")).result(30)
    empty.write(lambda c: c.execute(text(row))).result(5)
    empty.write(migrate).result(30)
    kept = empty.read(lambda c: c.execute(text("SELECT epoch, offset FROM write_own")).one()).result(5)
    assert tuple(kept) == (1, 40)


def test_the_steps_lead_to_the_tables_that_the_models_declare(empty: SqliteStore) -> None:
    empty.write(migrate).result(30)
    different = empty.read(lambda c: compare_metadata(MigrationContext.configure(c), METADATA)).result(30)
    assert different == []


def test_bringing_a_database_up_again_changes_nothing(empty: SqliteStore) -> None:
    empty.write(migrate).result(30)
    empty.write(migrate).result(30)
    version = empty.read(lambda c: c.execute(text("SELECT version_num FROM alembic_version")).scalar())
    assert version.result(5) == HEAD
