"""Server processes of their own: started detached, remembered by a pid file, waited for, stopped."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

LOOK_EVERY: Final = 0.05
TAIL_BYTES: Final = 2_000
STOP_SECONDS: Final = 30.0
KILL_SECONDS: Final = 10.0


class EngineError(Exception):
    """A server that can't be brought up or down; the text is a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Service:
    """A server process: its name, the directory of its pid file and log, and the signal that ends it well.

    `mark` is a text that stands in the process's command line, so that a number which another process was
    given meanwhile is not mistaken for ours. `user` is who runs it; None is whoever starts it.
    """

    name: str
    data: Path
    mark: str
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None

    @property
    def pid_file(self) -> Path:
        """Where its process id stands while it runs."""
        return self.data / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        """What it says."""
        return self.data / f"{self.name}.log"

    def running(self) -> int | None:
        """Return the process id of the server, None where it does not run."""
        try:
            pid = int(self.pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if _alive(pid) and _bears(pid, self.mark) else None

    def start(self, command: Sequence[str], cwd: Path | None = None) -> int:
        """Start the server, detached: it outlives this process and its terminal. Returns its process id."""
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=cwd or self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **as_user(self.user),
            )
        fresh = self.pid_file.with_suffix(".pid.new")
        fresh.write_text(f"{process.pid}\n")
        fresh.replace(self.pid_file)
        return process.pid

    def until(self, serves: Callable[[], bool], seconds: float) -> None:
        """Return once `serves` is true.

        Raises: EngineError, with the end of its log, where the process ends or `seconds` pass before.
        """
        deadline = time.monotonic() + seconds
        while not serves():
            if self.running() is None:
                raise EngineError(f"{self.name} ended while it started. {self._tail()}")
            if time.monotonic() > deadline:
                raise EngineError(f"{self.name} does not serve after {seconds:.0f} s. {self._tail()}")
            time.sleep(LOOK_EVERY)

    def stop(self) -> None:
        """End the server and forget its pid; one that does not end in time is killed.

        Raises: EngineError where it outlives even that.
        """
        pid = self.running()
        if pid is not None:
            for number, seconds in ((self.stop_signal, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
                os.kill(pid, number)
                if self._gone(seconds):
                    break
            else:
                raise EngineError(f"{self.name} (process {pid}) does not end; see {self.log_file}.")
        self.pid_file.unlink(missing_ok=True)

    def _gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.running() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY)
        return True

    def _tail(self) -> str:
        try:
            said = self.log_file.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            said = ""
        return f"{self.log_file} ends with:\n{said}" if said else f"It said nothing in {self.log_file}."


class AsUser(TypedDict, total=False):
    """Arguments of `subprocess` that say who runs a child."""

    user: str
    group: int
    extra_groups: list[str | int]


def as_user(name: str | None) -> AsUser:
    """Return the arguments with which `subprocess` runs a child as this user."""
    return {} if name is None else {"user": name, "group": _group(name), "extra_groups": []}


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def remembered_port(path: Path) -> int:
    """Return the port kept in `path`; the first time a free one is chosen and kept there."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        port = free_port()
        path.write_text(f"{port}\n")
        return port


def _group(name: str) -> int:
    import pwd  # not there on every system, and needed only where we are root

    return pwd.getpwnam(name).pw_gid


def _alive(pid: int) -> bool:
    try:
        # a child of ours that has ended stays a zombie until somebody asks
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def zombie(pid: int) -> bool:
    """Return whether a process has ended and only waits for somebody to ask for its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def _bears(pid: int, mark: str) -> bool:
    line = Path(f"/proc/{pid}/cmdline")
    try:
        said = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        # a system without /proc: the number is all there is; on one with it, the process has gone
        return not Path("/proc/self/cmdline").exists()
    # a process that begins has no command line yet, one that has ended has none any more
    return mark in said if said else not zombie(pid)
