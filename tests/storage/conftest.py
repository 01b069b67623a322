"""One database a test, on each engine; a module that makes many rows has one for all its tests."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from storage.store import Store
from tests.storage.database import ENGINES, opened

OpenStore = Callable[[Path], AbstractContextManager[Store]]


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """The engine under test."""
    return str(request.param)


@pytest.fixture
def open_store(engine: str) -> OpenStore:
    """Opens further databases of the engine under test."""
    return partial(opened, engine=engine)


@pytest.fixture
def store(engine: str, tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "test.db", engine) as store:
        yield store
