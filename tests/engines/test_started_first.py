"""Processes that start before their servers: they live, say what they wait for, and begin by themselves."""

from collections.abc import Iterator
from http.client import HTTPConnection
from signal import SIGKILL

import pytest

from tests.crash_engines.field import KAFKA, POSTGRES, Engines
from tests.engines.quartet import ask, process
from tests.stage.patience import eventually_sync

DEADLINE = 60.0


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    made = Engines()
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(("missing", "part"), [(KAFKA, "log"), (POSTGRES, "store")])
@pytest.mark.parametrize("command", ["api", "work"])
def test_a_process_waits_for_a_server_that_is_not_there_and_says_so(
    engines: Engines, command: str, missing: str, part: str
) -> None:
    env = {**engines.up(), "SLUICE_KAFKA_PREFIX": "first"}
    with process(command, env):  # makes topics and tables
        pass
    engines.send(missing, SIGKILL)
    waiting = process(command, env)
    try:
        waiting.start(wait=False)
        eventually_sync(lambda: not ask(waiting, "GET", "/ready")[1]["parts"][part]["ok"], DEADLINE)
        assert ask(waiting, "GET", "/ready")[0] == 503
        assert ask(waiting, "GET", "/health")[0] == 200
        connection = HTTPConnection("127.0.0.1", waiting.port, timeout=10)
        connection.request("POST", "/v1/record/acme/d", b"[]")
        answer = connection.getresponse()
        assert answer.status == 503 and int(answer.headers["Retry-After"]) >= 1
        connection.close()
        waiting.says("The start waits", DEADLINE)
        engines.up()
        waiting.until_ready()
        if command == "api":
            status, answered = ask(waiting, "POST", "/v1/record/acme/d", [{"n": 1}])
            assert status == 202, answered
        assert waiting.stop() == 0
    finally:
        waiting.close()
