"""Waiting in tests: an assertion is asked again until it holds. Nobody sleeps and hopes."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(check: Callable[[], Awaitable[T]], deadline: float = 5.0, every: float = 0.02) -> T: ...
@overload
async def eventually(check: Callable[[], T], deadline: float = 5.0, every: float = 0.02) -> T: ...
async def eventually(check: Callable[[], Any], deadline: float = 5.0, every: float = 0.02) -> Any:
    """Return what `check` returns, once it neither raises nor returns False; ask every `every` seconds.

    `check` may be a coroutine function. It is asked at least once, and cut off at the deadline.

    Raises: the last failure of `check`, after `deadline` seconds.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + deadline
    while True:
        try:
            async with asyncio.timeout_at(max(end, clock() + every)):
                answer = check()
                return _held(await answer if inspect.isawaitable(answer) else answer)
        except Exception as failure:
            if clock() >= end:
                failure.add_note(f"still so after {deadline} s")
                raise
        await asyncio.sleep(every)


def eventually_sync(check: Callable[[], T], deadline: float = 5.0, every: float = 0.02) -> T:
    """Do as `eventually` does, where there is no event loop, or one that may stand still meanwhile.

    Raises: the last failure of `check`, after `deadline` seconds.
    """
    end = time.monotonic() + deadline
    while True:
        try:
            return _held(check())
        except Exception as failure:
            if time.monotonic() >= end:
                failure.add_note(f"still so after {deadline} s")
                raise
        time.sleep(every)


def _held(answer: T) -> T:
    # A lambda can't assert; without this its False would pass for success.
    assert answer is not False, "the check returned False"
    return answer
