"""Start in order, stop in reverse: by name, within one deadline, and never in silence.

life = Lifecycle(deadline=20)
with life.signals():
    await life.start("log", log.open())
    life.on_stop("log", log.close)
    …
    await life.until_asked()
    await life.stop()
return life.exit_status
"""

import os
import sys
from asyncio import (
    CancelledError,
    Event,
    Future,
    Task,
    all_tasks,
    create_task,
    current_task,
    gather,
    get_running_loop,
    shield,
    wait,
)
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from logging import getLogger
from signal import SIGINT, SIGTERM, Signals
from typing import Any, Final, TypeVar

T = TypeVar("T")

_log = getLogger(__name__)

_LEAVING: Final = 2.0
_LAST_MOMENT: Final = 0.1
"""Seconds a cleanup that ran out of time has to honour its cancellation."""


class StopAsked(Exception):
    """A start was given up because the process was asked to stop; what had started is stopped."""


class Lifecycle:
    """The parts of a running process, in the order they came up. `deadline` is in seconds, for all of them.

    Stopping can take no longer than the deadline, and a part that hangs can't use up the time of those
    below it: each has a share that nobody before it may touch. Used on one event loop.
    """

    def __init__(self, deadline: float, leave: Callable[[int], object] = os._exit) -> None:
        self._deadline = deadline
        self._leave = leave
        self._cleanups: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        self._asked = Event()
        self._unwinding: Task[list[Exception]] | None = None
        self._watched: set[Future[Any]] = set()
        self._failed = False

    @property
    def exit_status(self) -> int:
        """0, or 1 if a watched task died or a part did not stop."""
        return 1 if self._failed else 0

    @property
    def stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self._asked.is_set()

    async def start(self, name: str, starting: Coroutine[Any, Any, T]) -> T:
        """Await the start of a part and return what it returns.

        Where it fails, or the process is asked to stop meanwhile, all that had started is stopped first.

        Raises: what `starting` raises; StopAsked.
        """
        part = create_task(starting, name=f"start {name}")
        asked = create_task(self._asked.wait())
        try:
            if not self.stopping:
                await wait((part, asked), return_when="FIRST_COMPLETED")
            if not part.done():
                raise StopAsked(f"Asked to stop while {name} was starting.")
            return part.result()
        except BaseException as failure:
            if not isinstance(failure, StopAsked | CancelledError):
                _log.error("%s could not start: %s", name, failure, extra={"action": "start"})
            await _cancel(part)
            await self._unwound()
            raise
        finally:
            asked.cancel()

    def on_stop(self, name: str, cleanup: Callable[[], Awaitable[object]]) -> None:
        """Have `cleanup` awaited at the stop, before those that were given earlier.

        Raises: RuntimeError, once stopping has begun: it would not be called.
        """
        if self._unwinding is not None:
            raise RuntimeError(f"{name} came up after stopping had begun; stop it where it was started.")
        self._cleanups.append((name, cleanup))

    async def stop(self) -> None:
        """Stop all parts, last come first. A second call waits for the first and does nothing more.

        Raises: ExceptionGroup of what went wrong, once every part had its turn; each failure is logged
        with its part's name and carries it as a note.
        """
        first = self._unwinding is None
        failures = await self._unwound()
        if failures and first:
            raise ExceptionGroup("Some parts did not stop as they should.", failures)

    async def leave_nothing(self, status: int) -> None:
        """Cancel every task that is left; where one does not end, end the process here, with `status`.

        For the loop's own way out waits for them without a bound. Faust's swallow their cancellation where
        they are stopped in the middle of their start, and such a process never went (seen).
        """
        left = all_tasks() - {current_task()}
        for task in left:
            task.cancel()
        stuck = (await wait(left, timeout=_LEAVING))[1] if left else set[Task[Any]]()
        if stuck:
            names = ", ".join(sorted(task.get_name() for task in stuck)[:5])
            _log.warning("%d tasks did not end: %s.", len(stuck), names, extra={"action": "stopped"})
            sys.stdout.flush()
            self._leave(status)

    def ask_to_stop(self, why: str) -> None:
        """Wake `until_asked`; `why` is said in the log, the first time."""
        if not self.stopping:
            _log.info("Stopping: %s.", why, extra={"action": "stop"})
            self._asked.set()

    def fail(self, why: str) -> None:
        """End the process with exit status 1: a part failed in a way that leaves no honest way to go on."""
        self._failed = True
        _log.critical("The broker can't go on: %s.", why, extra={"action": "task_died"})
        self._asked.set()

    async def until_asked(self) -> None:
        """Return once somebody asked to stop: a signal, a watched task that died, `ask_to_stop`."""
        await self._asked.wait()

    def watch(self, name: str, task: Task[T]) -> Task[T]:
        """Return `task`, whose end before the stop is the end of the process, with exit status 1."""
        self._watched.add(task)
        task.add_done_callback(lambda done: self._ended(name, done))
        return task

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM ask to stop; a second one ends the process at once, with status 1."""
        loop = get_running_loop()
        for signal in (SIGINT, SIGTERM):
            loop.add_signal_handler(signal, self._signalled, signal)
        try:
            yield
        finally:
            for signal in (SIGINT, SIGTERM):
                loop.remove_signal_handler(signal)

    def _signalled(self, signal: Signals) -> None:
        if self.stopping:
            _log.warning("%s while stopping: leaving at once.", signal.name, extra={"action": "stopped"})
            self._leave(1)
        self.ask_to_stop(f"{signal.name} came; another one ends it at once")

    def _ended(self, name: str, task: Future[Any]) -> None:
        self._watched.discard(task)
        error = None if task.cancelled() else task.exception()
        if self.stopping:
            if error is not None:
                _log.error("%s failed while stopping: %r", name, error, extra={"action": "task_died"})
            return
        self._failed = True
        why = "it was cancelled" if task.cancelled() else f"{error!r}" if error else "it returned"
        _log.error(
            "%s ended, and nothing works without it: %s.",
            name,
            why,
            exc_info=error,
            extra={"action": "task_died"},
        )
        self.ask_to_stop(f"{name} ended")

    async def _unwound(self) -> list[Exception]:
        if self._unwinding is None:
            self._asked.set()
            self._unwinding = create_task(self._unwind(), name="stop")
        # Whoever waits may be cancelled; the parts are stopped all the same.
        return await shield(self._unwinding)

    async def _unwind(self) -> list[Exception]:
        clock = get_running_loop().time
        end = clock() + self._deadline
        share = self._deadline / (2 * max(1, len(self._cleanups)))
        failures: list[Exception] = []
        while self._cleanups:
            name, cleanup = self._cleanups.pop()
            try:
                await _within(max(0.0, end - clock() - share * len(self._cleanups)), cleanup)
            except Exception as failure:
                failure.add_note(f"while stopping {name}")
                sentence = "%s did not stop as it should: %r"
                _log.error(sentence, name, failure, exc_info=failure, extra={"action": "stopped"})
                failures.append(failure)
        self._failed = self._failed or bool(failures)
        return failures


async def cancelled(task: Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await gather(task, return_exceptions=True)


async def _within(seconds: float, cleanup: Callable[[], Awaitable[object]]) -> None:
    task = create_task(_awaited(cleanup))
    await wait((task,), timeout=seconds)
    if not task.done():
        await _cancel(task)
        raise TimeoutError(f"it took longer than the {seconds:.1f} s that were left for it")
    if task.cancelled():
        raise RuntimeError("it was cancelled by somebody else")
    task.result()


async def _awaited(cleanup: Callable[[], Awaitable[object]]) -> object:
    return await cleanup()


async def _cancel(task: Task[Any]) -> None:
    # Bounded: a task may swallow its cancellation, and the others must be stopped too.
    task.cancel()
    await wait((task,), timeout=_LAST_MOMENT)
    if task.done() and not task.cancelled():
        task.exception()
