"""A database of a test's own, and a store on it."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from storage.postgres.engine import PostgresStore
from tests.stage.postgres import fresh_database


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database() as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore(url)) as store:
        yield store
