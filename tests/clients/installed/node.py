"""InfluxData's client for Node, installed by npm into a folder of its own; the documentation's example."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.broker import BATCH, BATCHES, QUOTA, broker, until_stored
from tests.clients.installed.npm import folder, run
from tests.clients.page import examples
from tests.stage.process import Broker


@pytest.fixture(scope="module")
def running() -> Iterator[Broker]:
    with broker() as made:
        yield made


def wrote(running: Broker, org: str, *words: str, count: int = 0) -> list[Any]:
    """Run the script that writes, and return what it was told."""
    output = run(running, "write.mjs", *words, ORG=org, COUNT=str(count))
    return json.loads(output.strip().splitlines()[-1])  # type: ignore[no-any-return]


def test_it_writes_gzip_in_chunks(running: Broker) -> None:
    assert wrote(running, "js", "points", count=1_000) == []
    until_stored(running, "js", "b__m", [float(n) for n in range(1_000)])


def test_it_is_told_of_a_bad_line_and_the_good_ones_are_written(running: Broker) -> None:
    ((status, body, _),) = wrote(running, "bad", "bad")
    assert status == 400
    assert json.loads(body)["line"] == 2
    until_stored(running, "bad", "b__m", [1.0, 2.0])


def test_its_batches_lose_nothing_at_429() -> None:
    with broker(**QUOTA) as running:
        failures = wrote(running, "w", "points", count=BATCH * BATCHES)
        assert {status for status, _, _ in failures} == {429}
        until_stored(running, "w", "b__m", [float(n) for n in range(BATCH * BATCHES)])


def test_the_example_on_the_page_works_as_it_stands_there(running: Broker) -> None:
    (example,) = examples("js")
    (folder() / "example.mjs").write_text(example)
    assert "WRITE FINISHED" in run(running, "example.mjs", ORG="seed")
    until_stored(running, "seed", "example_2D_bucket__temperature", [24.0], field="value")
