"""A nest for all tests of a process, and which tests are only for `make crash`."""

import os
from collections.abc import Iterator

import pytest

from tests.crash.nest import Nest

ALL = bool(os.environ.get("CRASH_ALL"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "crash: too long for every run; `make crash` runs it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is too long."""
    if not ALL:
        long = [item for item in items if item.get_closest_marker("crash") is not None]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item.get_closest_marker("crash") is None]


@pytest.fixture(scope="session")
def nest() -> Iterator[Nest]:
    made = Nest()
    yield made
    made.close()
