"""InfluxData's client for Node, installed by npm into a folder of its own; the documentation's example."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copy, which
from typing import Any

import pytest

from tests.clients.broker import BATCH, BATCHES, QUOTA, TOKEN, broker, until_stored
from tests.clients.page import examples
from tests.stage.process import Broker

HERE = Path(__file__).parent
NODE, NPM = which("node"), which("npm")

pytestmark = pytest.mark.skipif(NODE is None or NPM is None, reason="Node and npm are not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("node")
    for name in ("package.json", "write.mjs"):
        copy(HERE / name, made / name)
    subprocess.run(
        [str(NPM), "install", "--no-audit", "--no-fund", "--silent"], cwd=made, timeout=300, check=True
    )
    return made


@pytest.fixture(scope="module")
def running() -> Iterator[Broker]:
    with broker() as made:
        yield made


def run(folder: Path, running: Broker, org: str, script: str, *words: str, count: int = 0) -> str:
    env = {**os.environ, "HOST": running.url, "T": TOKEN, "ORG": org, "COUNT": str(count)}
    done = subprocess.run(
        [str(NODE), script, *words],
        cwd=folder,
        env=env,
        timeout=120,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def told(output: str) -> list[Any]:
    return json.loads(output.strip().splitlines()[-1])  # type: ignore[no-any-return]


def test_it_writes_gzip_in_chunks(folder: Path, running: Broker) -> None:
    assert told(run(folder, running, "js", "write.mjs", "points", count=1_000)) == []
    until_stored(running, "js", "b__m", [float(n) for n in range(1_000)])


def test_it_is_told_of_a_bad_line_and_the_good_ones_are_written(folder: Path, running: Broker) -> None:
    ((status, body, _),) = told(run(folder, running, "bad", "write.mjs", "bad"))
    assert status == 400
    assert json.loads(body)["line"] == 2
    until_stored(running, "bad", "b__m", [1.0, 2.0])


def test_its_batches_lose_nothing_at_429(folder: Path) -> None:
    with broker(**QUOTA) as running:
        failures = told(run(folder, running, "w", "write.mjs", "points", count=BATCH * BATCHES))
        assert {status for status, _, _ in failures} == {429}
        until_stored(running, "w", "b__m", [float(n) for n in range(BATCH * BATCHES)])


def test_the_example_on_the_page_works_as_it_stands_there(folder: Path, running: Broker) -> None:
    (example,) = examples("js")
    (folder / "example.mjs").write_text(example)
    assert "WRITE FINISHED" in run(folder, running, "seed", "example.mjs")
    until_stored(running, "seed", "example_2D_bucket__temperature", [24.0], field="value")
