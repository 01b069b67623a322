"""The JavaScript client of `api/client`, run by Node: against scripted servers, and against a broker."""

import json
import os
import re
import subprocess
from pathlib import Path
from shutil import which

import pytest

from tests.clients.broker import QUOTA, TOKEN, broker
from tests.stage.examples import HOUSE, blocks

SUITES = Path(__file__).parent / "javascript"
CLIENT = HOUSE / "api" / "client"
NODE = which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="Node is not installed")


def run(*suites: str, **env: str) -> None:
    """Run suites of tests with Node's own runner; what they print is shown where one fails."""
    assert NODE is not None
    paths = [str(SUITES / f"{suite}.test.mjs") for suite in suites]
    words = [NODE, "--test", "--test-reporter=tap", *paths]
    done = subprocess.run(words, env={**os.environ, **env}, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed is not None and int(passed[1]) > 0, done.stdout


def test_it_is_as_patient_as_it_is_told_and_no_more() -> None:
    run("patience", "stream")


def test_it_writes_queries_and_follows_alerts_of_a_broker() -> None:
    with broker() as running, broker(**QUOTA) as slow:
        run("broker", HOST=running.url, T=TOKEN, QUOTA=slow.url)


def test_the_example_on_the_page_works_as_it_stands_there(tmp_path: Path) -> None:
    (example,) = blocks("api/client/README.md", "js")
    installed = tmp_path / "node_modules"
    installed.mkdir()
    (installed / "sluice-client").symlink_to(CLIENT, target_is_directory=True)
    with broker() as running:
        words = {"http://HOST:8080": running.url, "SECRET_TOKEN": TOKEN, "WORKSPACE": "w", "DATASET_ID": "d"}
        for word, meaning in words.items():
            example = example.replace(word, meaning)
        (tmp_path / "example.mjs").write_text(example)
        command = [str(NODE), "example.mjs"]
        done = subprocess.run(command, cwd=tmp_path, timeout=60, check=True, capture_output=True, text=True)
    assert done.stdout == "wrote 1 messages\nnews: Are Hovercrafts the next big thing?\n"


def test_it_needs_no_other_package_and_every_call_has_its_types() -> None:
    package = json.loads((CLIENT / "package.json").read_text())
    assert not [name for name in package if "ependencies" in name]
    source, types = (CLIENT / "index.js").read_text(), (CLIENT / "index.d.ts").read_text()
    assert "import " not in source and "require(" not in source
    calls = re.findall(r"^  (\w+): \{ send: ", source, re.MULTILINE)
    assert len(calls) > 20
    assert [name for name in [*calls, "request", "alertStream"] if f"  {name}" not in types] == []
    assert set(package["files"]) == {"index.js", "index.d.ts"}
