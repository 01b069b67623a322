"""Engines for all tests of this folder, which only `make crash-engines` runs."""

from collections.abc import Iterator

import pytest

from infra.dev.jvm import missing as java_missing
from tests.crash_engines.field import Engines


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """Kafka and PostgreSQL over a directory of their own."""
    made = Engines()
    lacks = [lack for lack in (java_missing(), made.postgres.missing()) if lack is not None]
    if lacks:
        pytest.fail("\n".join(lacks))  # whoever asks for these tests must see that they were not run
    yield made
    made.close()
