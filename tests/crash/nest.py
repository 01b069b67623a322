"""A process that has imported the broker once and forks one for each start: a start costs no imports.

`python -m tests.crash.nest` is that process: it reads orders from its input, a line of JSON each, and
answers each with a line. What it forks is `sluice serve` and nothing else, armed (`tests.crash.armed`).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any, Final

from tests.stage.process import HOUSE, Broker, Process

EVERY: Final = 0.01
PREFIXES: Final = ("SLUICE_", "CRASH_")


class Nest:
    """The process that forks brokers; use it as a context manager. Its brokers end with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.crash.nest"),
            cwd=HOUSE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)},
        )

    def ask(self, **order: Any) -> Any:
        """Give an order and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Kill what runs and end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()


class Fledgling:
    """A broker's process that a nest has forked; `tests.stage.process.Process`."""

    def __init__(self, nest: Nest, pid: int) -> None:
        self.pid = pid
        self._nest = nest
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = self._nest.ask(do="poll", pid=self.pid)
        return self._status

    def wait(self, timeout: float) -> int:
        end = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("sluice serve", timeout)
            time.sleep(EVERY)
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(SIGKILL)


class NestBroker(Broker):
    """A broker that a nest forks."""

    def __init__(self, nest: Nest, env: Mapping[str, str]) -> None:
        super().__init__(env, ready_within=60.0)
        self._nest = nest

    def _launch(self, env: Mapping[str, str], log: Path) -> Process:
        own = {name: value for name, value in env.items() if name.startswith(PREFIXES)}
        return Fledgling(self._nest, self._nest.ask(do="start", env=own, log=str(log)))


def _main() -> None:
    from tests.crash import armed

    armed.prepare()
    children: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        answer: int | None
        if order["do"] == "start":
            answer = _fork(order["env"], order["log"])
            children.add(answer)
        else:
            done, status = os.waitpid(order["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if done else None
            if done:
                children.discard(done)
        print(json.dumps(answer), flush=True)
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, SIGKILL)


def _fork(env: Mapping[str, str], log: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(env)
        status = _serve()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _serve() -> int:
    from infra.cli import main
    from tests.crash import armed

    armed.arm()
    sys.argv = ["sluice", "serve"]
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


if __name__ == "__main__":
    _main()
