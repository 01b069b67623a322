"""The load that the bench makes is the load that arrives."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tests.bench.load import WRK, Answered, Load, Shot, by_ourselves, read_result, run_load
from tests.bench.peers import peer

SHOTS = [Shot(f"/v1/record/w/d{number}", b'{"n":%d}' % number) for number in range(5)]


def load(url: str, seconds: float = 0.2, delay_ms: int = 0) -> Load:
    return Load(url, SHOTS, {"Content-Type": "application/json"}, 4, seconds, delay_ms)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_our_own_generator_counts_every_answer_and_no_failure(
    run: Callable[[Coroutine[Any, Any, Answered]], Answered],
) -> None:
    with peer("echo") as echo:
        answered = run(by_ourselves(load(echo.url, seconds=1.0)))
    assert answered.requests > 4, "each connection sends more than one"
    assert answered.failed == 0
    assert 0 < answered.p50 <= answered.p99
    assert answered.rate == answered.requests / answered.seconds


async def test_a_pause_after_each_answer_bounds_the_rate() -> None:
    with peer("constant") as constant:
        answered = await by_ourselves(load(constant.url, delay_ms=50))
    assert 4 <= answered.requests <= 4 * 5


@pytest.mark.skipif(WRK is None, reason="wrk is not installed")
async def test_wrk_sends_what_it_is_told_and_its_answer_is_read() -> None:
    with peer("echo") as echo:
        answered = await run_load(load(echo.url, seconds=1))
    assert answered.requests > 20
    assert (answered.failed, round(answered.seconds)) == (0, 1)


async def test_a_load_with_failures_is_no_figure() -> None:
    with peer("echo") as echo:
        broken = Load(echo.url, [Shot("/", b"{")], {"Content-Type": "application/json"}, 2, 1)
        with pytest.raises(RuntimeError, match="failed"):
            await run_load(broken)
        assert (await run_load(broken, refusals=True)).failed > 0


def test_what_wrk_says_is_read_in_seconds_and_milliseconds() -> None:
    said = "Running 1s test\nRESULT 1000 2000000 1500 9000 3\n"
    assert read_result(said) == Answered(1_000, 2.0, 1.5, 9.0, 3)


def test_a_wrk_that_did_not_run_is_an_error_with_its_words() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        read_result("unable to connect to 127.0.0.1:1")
