"""The broker of a demo, and one of its own: `sluice serve` in a process of its own, over data thrown away."""

import os
import sys
from asyncio import Future, Task, create_task, get_running_loop, timeout
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process, create_subprocess_exec
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from re import search
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from typing import Final

READY_WITHIN: Final = 30.0
STOPPED_WITHIN: Final = 10.0
TAIL: Final = 30


class BrokerFailed(Exception):
    """The broker did not start; the text ends with its last lines."""


@dataclass(frozen=True, slots=True)
class DemoBroker:
    """Where a broker serves, its administrator's token, its process id where it is the demo's own."""

    url: str
    token: str = field(repr=False)
    pid: int | None = None


@asynccontextmanager
async def own_broker() -> AsyncIterator[DemoBroker]:
    """Run a broker on a free port of loopback; afterwards it is gone, and its data with it.

    Raises: BrokerFailed.
    """
    token = "sk_" + token_urlsafe(32)
    with TemporaryDirectory(prefix="sluice-demo-", ignore_cleanup_errors=True) as root:
        process = await _spawn(Path(root) / "data", token)
        lines: deque[str] = deque(maxlen=TAIL)
        serving: Future[str] = get_running_loop().create_future()
        listening = create_task(_listen(process, lines, serving))
        try:
            yield DemoBroker(await _address(serving, lines), token, process.pid)
        finally:
            await _end(process, listening)


async def _spawn(data: Path, token: str) -> Process:
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("SLUICE_")}
    own = {
        "SLUICE_PORT": "0",
        "SLUICE_DATA": str(data),
        "SLUICE_ADMIN_TOKEN": token,
        "SLUICE_ALLOW_PRIVATE_TARGETS": "true",
        "SLUICE_FREE_DISK": "100MB",
    }
    return await create_subprocess_exec(
        sys.executable,
        "-P",  # a folder named infra where the demo is run must not be taken for ours
        *("-m", "infra.cli", "serve"),
        env={**inherited, **own},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,  # Ctrl-C reaches the demo alone, which stops the broker in its own time
    )


async def _listen(process: Process, lines: deque[str], serving: "Future[str]") -> None:
    """Keep the last lines it says, and hear the address it serves on."""
    assert process.stdout is not None
    async for raw in process.stdout:
        line = raw.decode(errors="replace").rstrip()
        lines.append(line)
        found = search(r"serves on (http://\S+)", line)
        if found is not None and not serving.done():
            serving.set_result(found[1])
    if not serving.done():
        serving.set_exception(BrokerFailed("The broker ended before it served."))


async def _address(serving: "Future[str]", lines: deque[str]) -> str:
    try:
        async with timeout(READY_WITHIN):
            return await serving
    except (TimeoutError, BrokerFailed) as error:
        why = str(error) or f"The broker did not serve within {READY_WITHIN:g} s."
        raise BrokerFailed("\n".join((f"{why} It said last:", *lines))) from error


async def _end(process: Process, listening: "Task[None]") -> None:
    try:
        # Once its output has ended it is ending by itself, and a signal could find another process.
        if not listening.done():
            process.terminate()
        async with timeout(STOPPED_WITHIN):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        # Also where the wait was cut off by a second Ctrl-C: nothing may outlive the demo.
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        listening.cancel()
