"""One database a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.sqlite.engine import SqliteStore
from tests.storage.database import opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with opened(tmp_path / "test.db") as store:
        yield store
