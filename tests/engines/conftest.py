"""Real engines for the tests of this folder: a Kafka for the whole run, pairs of both for modules.

Plain `make test` leaves them out.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.dev.engines import bring_down, bring_up
from infra.dev.kafka import Kafka


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A development Kafka over a data directory of its own."""
    engine = Kafka(tmp_path_factory.mktemp("kafka"))
    missing = engine.missing()
    if missing is not None:
        pytest.fail(missing)  # whoever asks for these tests must see that they were not run
    yield engine
    engine.down()


@pytest.fixture
def servers(kafka: Kafka) -> str:
    """The `kafka://host:port` of a broker that runs, also where a test before has killed it."""
    return kafka.up().removeprefix("SLUICE_LOG=")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory for a store."""
    return tmp_path


@pytest.fixture(scope="module")
def pair() -> Iterator[dict[str, str]]:
    """The environment of a broker on both engines."""
    data = Path(tempfile.mkdtemp(prefix="sluice-pair-"))
    data.chmod(0o755)  # PostgreSQL's user must be able to pass
    lines: list[str] = []
    try:
        bring_up(data, [], lines.append)
        yield dict(line.split("=", 1) for line in lines)
    finally:
        bring_down(data, [])
        shutil.rmtree(data, ignore_errors=True)
