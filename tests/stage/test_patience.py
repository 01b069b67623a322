"""Waiting ends as soon as the assertion holds, and with its own failure where it never does."""

import asyncio
import time

import pytest

from tests.stage.patience import eventually, eventually_sync


class Ripening:
    """A check that fails a number of times first."""

    def __init__(self, failures: int) -> None:
        self.asked = 0
        self.failures = failures

    def __call__(self) -> str:
        self.asked += 1
        assert self.asked > self.failures, f"asked {self.asked} times"
        return "ripe"

    async def later(self) -> str:
        return self()


async def test_a_check_is_asked_until_it_holds() -> None:
    plain, coroutine = Ripening(3), Ripening(3)
    assert await eventually(plain, every=0.001) == "ripe"
    assert await eventually(coroutine.later, every=0.001) == "ripe"
    assert plain.asked == coroutine.asked == 4


def test_the_twin_without_a_loop_does_the_same() -> None:
    plain = Ripening(3)
    assert eventually_sync(plain, every=0.001) == "ripe"
    with pytest.raises(AssertionError, match="asked"):
        eventually_sync(Ripening(10**9), deadline=0.02, every=0.001)


async def test_the_last_failure_is_raised_at_the_deadline() -> None:
    check = Ripening(10**9)
    with pytest.raises(AssertionError) as caught:
        await eventually(check, deadline=0.02, every=0.001)
    assert f"asked {check.asked} times" in str(caught.value)
    assert caught.value.__notes__ == ["still so after 0.02 s"]


async def test_even_without_time_it_is_asked_once() -> None:
    assert await eventually(Ripening(0), deadline=0) == "ripe"
    assert eventually_sync(Ripening(0), deadline=0) == "ripe"


async def test_false_is_a_failure() -> None:
    with pytest.raises(AssertionError, match="returned False"):
        await eventually(lambda: 1 > 2, deadline=0.01, every=0.001)
    assert await eventually(lambda: 0) == 0


async def test_a_check_that_hangs_is_cut_off() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await eventually(asyncio.Event().wait, deadline=0.05)
    assert time.monotonic() - began < 2
