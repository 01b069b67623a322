"""A broker that kills itself at the n-th passing of one named point.

`CRASH_TRAP` names a file that says where: `name passing`. It is read when the process starts, and again at
SIGUSR1, so that a broker can be armed while it runs; `FILE.set` then says what it was armed with, and
`FILE.sprung` at which point it died. Only tests read any of it.
"""

import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

from streams.embedded.log import LogPlan
from tests.crash.point import Point, found
from tests.crash.table import POINTS

VARIABLE: Final = "CRASH_TRAP"
HASTENED: Final[dict[str, Any]] = {
    "infra.carrier:LogPlan": partial(LogPlan, segment_bytes=128 * 1024),
    "streams.announce:PENDING_AFTER": 0,
    "streams.endings:AFTER": 0.0,
    "streams.agents.judge:TOGETHER": 12,
}
"""What is put in the place of the product's own, so that what is rare in it is frequent."""
DRAINED_WITHIN: Final = 10.0
HELD: Final = 0.05
"""Seconds that a thread beside the loop stands still at its point before all die: an answer that did not wait
for it gets out meanwhile, and is found out."""


class Trap:
    """Which point to die at, and how many passings are left."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._name = ""
        self._left = 0
        self._lock = threading.Lock()

    def set(self) -> None:
        """Read the file anew."""
        self._file = Path(os.environ[VARIABLE])
        text = self._file.read_text() if self._file.exists() else ""
        with self._lock:
            self._name, passing = text.split() if text else ("", "0")
            self._left = int(passing)
        self._file.with_suffix(".set").write_text(text)

    def pass_by(self, point: Point, frame: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Note that a point is passed, and die if it is the one."""
        if point.name != self._name:
            return False
        if point.caller is not None and (frame is None or frame.f_code.co_name != point.caller):
            return False
        if point.only is not None and not point.only(*args, **kwargs):
            return False
        with self._lock:
            self._left -= 1
            mine = self._left == 0
        if mine and point.when == "halfway":
            return True
        if mine:
            if point.drained:
                _drain(args[0])
            if threading.current_thread() is not threading.main_thread():
                sleep(HELD)
            self.spring(point)
        return False

    def spring(self, point: Point) -> None:
        """Die."""
        assert self._file is not None
        self._file.with_suffix(".sprung").write_text(point.name)
        os.kill(os.getpid(), signal.SIGKILL)


_TRAP: Final = Trap()


def prepare() -> None:
    """Put the traps around the product's functions, and make what is rare in it frequent."""
    by_target: dict[str, list[Point]] = {}
    for point in POINTS:
        by_target.setdefault(point.target, []).append(point)
    for points in by_target.values():
        holder, name = found(points[0].target)
        setattr(holder, name, _wrapped(getattr(holder, name), points))
    _hasten()


def arm() -> None:
    """Read the trap, and anew at each SIGUSR1. For a process that has no other thread yet."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    _TRAP.set()
    threading.Thread(target=_listen, name="trap", daemon=True).start()


def _listen() -> None:
    while True:
        signal.sigwait({signal.SIGUSR1})
        _TRAP.set()


def _hasten() -> None:
    """Let segments be small, slices short, and what a crash left unfinished be taken up at once."""
    for target, value in HASTENED.items():
        holder, name = found(target)
        setattr(holder, name, value)


def _wrapped(function: Callable[..., Any], points: list[Point]) -> Callable[..., Any]:
    before = [point for point in points if point.when == "before"]
    after = [point for point in points if point.when == "after"]
    halfway = [point for point in points if point.when == "halfway"]

    def passing(side: list[Point], frame: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for point in side:
            _TRAP.pass_by(point, frame, args, kwargs)

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            passing(before, sys._getframe(1), args, kwargs)
            result = await function(*args, **kwargs)
            passing(after, sys._getframe(1), args, kwargs)
            return result

        return waiting

    @wraps(function)
    def calling(*args: Any, **kwargs: Any) -> Any:
        passing(before, sys._getframe(1), args, kwargs)
        for point in halfway:
            if _TRAP.pass_by(point, None, args, kwargs):
                disk, fd, data, position = args
                function(disk, fd, data[: len(data) // 2], position)
                _TRAP.spring(point)
        result = function(*args, **kwargs)
        passing(after, sys._getframe(1), args, kwargs)
        return result

    return calling


def _drain(log: Any) -> None:
    """Wait in the dying process until the log's threads have made durable what they were given."""
    end = monotonic() + DRAINED_WITHIN
    writers = [topic._writer for topic in log._topics.values()]
    while any(writer._queue.qsize() or writer._current for writer in writers) and monotonic() < end:
        sleep(0.001)
