"""A real broker in a process of its own, to be used, stopped, killed and started again."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from infra.dev.processes import free_port
from tests.stage.patience import eventually_sync

SERVE: Final = (sys.executable, "-m", "infra.cli", "serve")
HOUSE: Final = Path(__file__).resolve().parents[2]
TAIL: Final = 4_000


class Process(Protocol):
    """What a broker's process can be asked; `subprocess.Popen` is one."""

    pid: int

    def poll(self) -> int | None:
        """Return its exit status (negative: of a signal), None while it runs."""
        ...

    def wait(self, timeout: float) -> int:
        """Return its exit status once it has ended. Raises: subprocess.TimeoutExpired."""
        ...

    def send_signal(self, sig: int) -> None:
        """Send it a signal; nothing happens where it has ended."""
        ...

    def kill(self) -> None:
        """Send it SIGKILL."""
        ...


class Broker:
    """`sluice serve` on a free port with a data directory of its own; use it as a context manager.

    Data and port stay the same over `kill`, `stop` and `restart`; leaving the context kills the process
    and removes the data. `env` holds `SLUICE_…` variables; those of the test's own process are left out.
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        *,
        command: Sequence[str] = SERVE,
        ready_within: float = 20.0,
    ) -> None:
        self.env = dict(env or {})
        self.root = Path(tempfile.mkdtemp(prefix="sluice-test-"))
        self.data = self.root / "data"
        self.port = free_port()
        self._command = tuple(command)
        self._ready_within = ready_within
        self._log = self.root / "log"
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The base address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The administrator's token: the given one, else the one kept in the data directory."""
        return self.env.get("SLUICE_ADMIN_TOKEN") or (self.data / "admin-token").read_text().strip()

    @property
    def pid(self) -> int:
        """The process id of the broker that runs."""
        return self._running().pid

    @property
    def logs(self) -> str:
        """All it said so far, on both streams, over every start."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self, env: Mapping[str, str] | None = None, *, wait: bool = True) -> Self:
        """Start it, with `env` besides what it was made with, and wait until `/ready` answers 200.

        Raises: AssertionError, with the end of its log, where it ends or does not get ready in time.
        """
        assert self._process is None, "the broker runs already"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        own = {"SLUICE_PORT": str(self.port), "SLUICE_DATA": str(self.data)}
        self._process = self._launch({**inherited, **own, **self.env, **(env or {})}, self._log)
        if wait:
            self.until_ready()
        return self

    def _launch(self, env: Mapping[str, str], log: Path) -> Process:
        with log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                cwd=HOUSE,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def until_ready(self) -> None:
        """Return once `/ready` answers 200.

        Raises: AssertionError, with the end of its log, where it ends or does not get ready in time.
        """
        end = time.monotonic() + self._ready_within
        while not self._ready():
            status = self._running().poll()
            assert status is None, f"the broker ended with status {status}:\n{self.logs[-TAIL:]}"
            assert time.monotonic() < end, f"not ready in {self._ready_within} s:\n{self.logs[-TAIL:]}"
            time.sleep(0.02)

    def wait(self, deadline: float = 25.0) -> int:
        """Return its exit status (negative: of a signal) once it has ended by itself.

        Raises: AssertionError, with the end of its log, where it goes on; it is killed then.
        """
        process = self._running()
        try:
            status = process.wait(timeout=deadline)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end in {deadline} s:\n{self.logs[-TAIL:]}") from None
        self._process = None
        return status

    def stop(self, deadline: float = 25.0) -> int:
        """Ask it to stop (SIGTERM) and return its exit status.

        Raises: AssertionError, where it does not end in time; it is killed then.
        """
        self.send(signal.SIGTERM)
        return self.wait(deadline)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a power cut would; nothing happens where it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._running().send_signal(number)

    def restart(self, env: Mapping[str, str] | None = None) -> Self:
        """Stop it as `stop` does, if it runs, and start it over the same data."""
        if self._process is not None:
            self.stop()
        return self.start(env)

    def says(self, text: str, deadline: float = 5.0) -> None:
        """Return once `text` stands in its log.

        Raises: AssertionError, where it does not in time.
        """

        def said() -> None:
            assert text in self.logs, f"{text!r} is not in:\n{self.logs[-TAIL:]}"

        eventually_sync(said, deadline)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"the broker's log ends with:\n{self.logs[-TAIL:]}")
        self.close()

    def close(self) -> None:
        """Kill it and remove its data."""
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def _running(self) -> Process:
        assert self._process is not None, "the broker does not run; start it"
        return self._process

    def _ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
