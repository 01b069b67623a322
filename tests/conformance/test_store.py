"""Both stores keep what every store promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.migrate import migrate
from storage.postgres.engine import PostgresStore
from storage.sqlite.engine import SqliteStore
from storage.store import Store
from tests.conformance.store import Opened, StoreSuite
from tests.stage.postgres import fresh_database


class TestSqliteStore(StoreSuite):
    """A file serves one process, which has one store on it."""

    keeps_negative_zero = False

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Iterator[Opened]:
        stores: list[SqliteStore] = []

        def opened() -> Store:
            if not stores or stores[-1].write(lambda c: 1).exception(30) is not None:
                stores.append(SqliteStore(tmp_path / "test.db"))
                stores[-1].write(migrate).result(30)
            return stores[-1]

        yield opened
        for store in stores:
            store.close()


class TestPostgresStore(StoreSuite):
    """A database serves any number of processes."""

    @pytest.fixture
    def opened(self) -> Iterator[Opened]:
        stores: list[PostgresStore] = []
        with fresh_database() as url:

            def opened() -> Store:
                stores.append(PostgresStore(url))
                return stores[-1]

            yield opened
            for store in stores:
                store.close()
