"""What ends a process: a side task that died, a signal, a second one."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from unittest.mock import patch

import pytest

from infra.lifecycle import Lifecycle
from tests.stage.process import HOUSE


@pytest.fixture
def life() -> Lifecycle:
    return Lifecycle(5.0)


async def forever() -> None:
    await asyncio.Event().wait()


async def raises() -> None:
    raise OSError("connection lost")


async def returns() -> None:
    return


async def cancels() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("body", "word"),
    [(raises, "OSError('connection lost')"), (returns, "it returned"), (cancels, "it was cancelled")],
)
async def test_a_watched_task_that_ends_asks_to_stop_with_status_1_and_says_so(
    life: Lifecycle, body: Callable[[], Awaitable[None]], word: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def task() -> None:
        await body()

    life.watch("courier", asyncio.create_task(task()))
    async with asyncio.timeout(5):
        await life.until_asked()
    assert life.exit_status == 1
    (record,) = [r for r in caplog.records if r.levelname == "ERROR"]
    assert record.getMessage() == f"courier ended, and nothing works without it: {word}."
    assert record.__dict__["action"] == "task_died"


async def test_a_watched_task_may_end_once_stopping_was_asked(life: Lifecycle) -> None:
    task = life.watch("courier", asyncio.create_task(forever()))
    life.ask_to_stop("a test")
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert life.exit_status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_asks_to_stop_and_a_second_one_leaves_with_status_1(number: signal.Signals) -> None:
    left: list[int] = []
    life = Lifecycle(5.0, leave=left.append)
    with life.signals():
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await life.until_asked()
        assert left == []
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            while not left:
                await asyncio.sleep(0)
    assert left == [1]
    assert life.exit_status == 0


SCRIPT = textwrap.dedent("""
    import asyncio, sys
    from infra.lifecycle import Lifecycle

    async def hang():
        print("hanging", flush=True)
        await asyncio.Event().wait()

    async def main():
        life = Lifecycle(60)
        with life.signals():
            if "hang" in sys.argv:
                life.on_stop("door", hang)
            print("up", flush=True)
            await life.until_asked()
            await life.stop()
        return life.exit_status

    sys.exit(asyncio.run(main()))
""")


def process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=HOUSE, stdout=subprocess.PIPE, text=True
    )


def test_a_process_that_is_asked_to_stop_ends_with_status_0() -> None:
    with process() as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=10) == 0


def test_a_second_signal_ends_a_process_that_hangs_with_status_1() -> None:
    with process("hang") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        running.send_signal(signal.SIGINT)
        assert running.stdout.readline() == "hanging\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=10) == 1


async def test_a_task_that_swallows_its_cancellation_does_not_keep_the_process() -> None:
    left: list[int] = []
    life = Lifecycle(5.0, leave=left.append)
    let_go = asyncio.Event()

    async def stubborn() -> None:
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    with patch("infra.lifecycle._LEAVING", 0.05):
        await life.leave_nothing(1)
    assert left == [1]
    let_go.set()
    await task


async def test_tasks_that_end_when_they_are_told_are_ended_and_the_process_goes_its_own_way() -> None:
    left: list[int] = []
    life = Lifecycle(5.0, leave=left.append)
    task = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    await life.leave_nothing(0)
    assert (left, task.cancelled()) == ([], True)
