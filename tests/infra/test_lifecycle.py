"""Start in order, stop in reverse, within a deadline, whatever fails on the way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.lifecycle import Lifecycle, StopAsked


class House:
    """Parts that write down what happens to them."""

    def __init__(self, deadline: float = 5.0) -> None:
        self.life = Lifecycle(deadline)
        self.seen: list[str] = []

    async def open(self, name: str, fail: Exception | None = None) -> str:
        self.seen.append(f"+{name}")
        if fail is not None:
            raise fail
        return name

    def closing(self, name: str, fail: BaseException | None = None) -> Callable[[], Awaitable[None]]:
        async def close() -> None:
            self.seen.append(f"-{name}")
            if fail is not None:
                raise fail

        return close

    async def up(self, *names: str) -> None:
        for name in names:
            assert await self.life.start(name, self.open(name)) == name
            self.life.on_stop(name, self.closing(name))


@pytest.fixture
def house() -> House:
    return House()


async def forever() -> None:
    await asyncio.Event().wait()


async def test_parts_stop_in_the_reverse_order_of_their_start(house: House) -> None:
    await house.up("store", "log", "door")
    await house.life.stop()
    assert house.seen == ["+store", "+log", "+door", "-door", "-log", "-store"]
    assert house.life.exit_status == 0


async def test_a_start_that_fails_rolls_back_what_had_started_and_says_which(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.up("store", "log")
    with pytest.raises(OSError, match="port taken"):
        await house.life.start("door", house.open("door", OSError("port taken")))
    assert house.seen == ["+store", "+log", "+door", "-log", "-store"]
    assert "door could not start: port taken" in caplog.text
    await house.life.stop()
    assert house.seen[3:] == ["-log", "-store"]


async def test_stopping_twice_or_at_the_same_time_stops_once(house: House) -> None:
    await house.up("store", "log")
    await asyncio.gather(house.life.stop(), house.life.stop())
    await house.life.stop()
    assert house.seen[2:] == ["-log", "-store"]


async def test_a_stop_without_parts_is_a_stop(house: House) -> None:
    await house.life.stop()
    assert house.life.stopping


async def test_failures_are_joined_once_every_part_had_its_turn(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.life.on_stop("store", house.closing("store", OSError("disk")))
    house.life.on_stop("log", house.closing("log"))
    house.life.on_stop("door", house.closing("door", ValueError("socket")))
    with pytest.raises(ExceptionGroup) as caught:
        await house.life.stop()
    assert house.seen == ["-door", "-log", "-store"]
    assert [(type(e), e.__notes__) for e in caught.value.exceptions] == [
        (ValueError, ["while stopping door"]),
        (OSError, ["while stopping store"]),
    ]
    assert "door did not stop as it should: ValueError('socket')" in caplog.text
    assert house.life.exit_status == 1
    await house.life.stop()


async def test_a_cleanup_that_is_cancelled_from_elsewhere_does_not_end_the_stop(house: House) -> None:
    house.life.on_stop("store", house.closing("store"))
    house.life.on_stop("log", house.closing("log", asyncio.CancelledError()))
    with pytest.raises(ExceptionGroup):
        await house.life.stop()
    assert house.seen == ["-log", "-store"]


async def test_a_cleanup_that_hangs_leaves_the_others_their_time() -> None:
    house = House(deadline=0.4)
    house.life.on_stop("store", house.closing("store"))
    house.life.on_stop("log", forever)
    house.life.on_stop("producer", forever)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ExceptionGroup) as caught:
        await house.life.stop()
    assert [type(error) for error in caught.value.exceptions] == [TimeoutError, TimeoutError]
    assert house.seen == ["-store"]
    assert asyncio.get_running_loop().time() - began < 0.4 + 0.25


async def test_a_cleanup_that_swallows_its_cancellation_is_left_behind() -> None:
    house, end = House(deadline=0.1), asyncio.Event()

    async def stubborn() -> None:
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue

    house.life.on_stop("store", house.closing("store"))
    house.life.on_stop("producer", stubborn)
    with pytest.raises(ExceptionGroup):
        await house.life.stop()
    assert house.seen == ["-store"]
    end.set()


async def test_who_waits_for_the_stop_may_be_cancelled_and_the_parts_stop(house: House) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        reached.set()
        await go.wait()
        house.seen.append("-slow")

    house.life.on_stop("slow", slow)
    waiting = asyncio.create_task(house.life.stop())
    await reached.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    await house.life.stop()
    assert house.seen == ["-slow"]


async def test_a_stop_asked_for_while_a_part_starts_gives_the_start_up(house: House) -> None:
    await house.up("store")
    starting = asyncio.create_task(house.life.start("kafka", forever()))
    await asyncio.sleep(0)
    house.life.ask_to_stop("SIGINT")
    with pytest.raises(StopAsked, match="kafka"):
        await starting
    assert house.seen == ["+store", "-store"]
    assert house.life.exit_status == 0


async def test_nothing_starts_once_stopping_was_asked(house: House) -> None:
    house.life.ask_to_stop("a test")
    with pytest.raises(StopAsked):
        await house.life.start("log", house.open("log"))
    assert house.seen == []
    with pytest.raises(RuntimeError, match="log came up after stopping had begun"):
        house.life.on_stop("log", house.closing("log"))


async def test_a_cancelled_start_rolls_back_too(house: House) -> None:
    await house.up("store")
    starting = asyncio.create_task(house.life.start("kafka", forever()))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert house.seen == ["+store", "-store"]


@given(st.lists(st.sampled_from(["fine", "fails", "hangs"]), max_size=6))
def test_every_part_gets_its_turn_whatever_those_above_it_do(kinds: list[str]) -> None:
    async def run() -> None:
        house = House(deadline=0.02)
        for number, kind in enumerate(kinds):
            fail = OSError("no") if kind == "fails" else None
            closing = house.closing(str(number), fail)

            async def close(kind: str = kind, closing: Callable[[], Awaitable[None]] = closing) -> None:
                await closing()
                if kind == "hangs":
                    await forever()

            house.life.on_stop(str(number), close)
        bad = len(kinds) - kinds.count("fine")
        try:
            await house.life.stop()
            assert bad == 0
        except ExceptionGroup as failures:
            assert len(failures.exceptions) == bad
        assert house.seen == [f"-{number}" for number in reversed(range(len(kinds)))]

    logging.disable(logging.CRITICAL)
    try:
        asyncio.run(run())
    finally:
        logging.disable(logging.NOTSET)
