"""The JavaScript client follows alerts over kills of the broker, and its writes are stored once over them."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from tests.clients.broker import TOKEN, broker, until_stored
from tests.clients.installed.npm import tool
from tests.clients.test_javascript import SUITES
from tests.stage.patience import eventually_sync
from tests.stage.process import Broker

KILLS = 3


@contextmanager
def script(running: Broker, name: str, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a script of the suites beside the test; what it prints goes to a file."""
    env = {**os.environ, "HOST": running.url, "T": TOKEN}
    with out.open("wb") as sink:
        process = subprocess.Popen([tool("node"), str(SUITES / name)], env=env, stdout=sink)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wrote(running: Broker, number: int) -> None:
    body = json.dumps([{"n": number}]).encode()
    headers = {"Content-Type": "application/json", "x-api-key": TOKEN}
    with urlopen(Request(f"{running.url}/v1/write/w/d", body, headers), timeout=30) as answer:
        assert answer.status == 200


def test_no_alert_is_missed_or_told_twice_over_kills(tmp_path: Path) -> None:
    out = tmp_path / "told"
    rule = {"ruleName": "all", "ruleSet": "d", "workspace": "w", "conditions": [["n", ">=", 0]]}
    with broker() as running:
        body = json.dumps({**rule, "outputs": [{"method": "logs"}], "token": TOKEN}).encode()
        urlopen(Request(f"{running.url}/v1/rules/create", body), timeout=30).close()
        with script(running, "follow.mjs", out) as following:
            numbers = iter(range(1_000))
            sent: list[int] = []
            for _ in range(KILLS):
                for number in (next(numbers), next(numbers)):
                    wrote(running, number)
                    sent.append(number)
                running.kill()
                running.start()
            wrote(running, last := next(numbers))
            wanted = ["following", *map(str, [*sent, last])]
            eventually_sync(lambda: len(out.read_text().split()) >= len(wanted), 60)
            assert out.read_text().split() == wanted
            assert following.poll() is None


def test_a_write_whose_answer_a_kill_took_is_sent_again_and_stored_once(tmp_path: Path) -> None:
    out = tmp_path / "told"
    with broker() as running, script(running, "writing.mjs", out) as writing:
        for kill in range(KILLS):
            least = (kill + 1) * 40
            eventually_sync(lambda: len(out.read_text().split()) >= least, 60)  # noqa: B023
            running.kill()
            running.start()
        status = writing.wait(120)
        assert status == 0
        told = out.read_text().split()
        assert told == [str(number) for number in range(len(told))]
        until_stored(running, "w", "d", list(range(len(told))), field="n")
