"""Receipts wake who waits for a write, and tell gates how far persist has come."""

import asyncio
from dataclasses import dataclass

from storage.writes import Outcome
from streams.receipts import Receipts


def outcome(write: str, part: int = 0, parts: int = 1) -> Outcome:
    return Outcome(write, part, parts, "w", "d", 0, 1, 0, 1, 0, inserted=1)


@dataclass
class Gate:
    """Notes the partitions it was called for."""

    called: list[int]

    def __call__(self, partition: int) -> None:
        self.called.append(partition)


async def test_a_waiter_is_woken_with_its_outcome() -> None:
    receipts = Receipts(2)
    waiting = receipts.expect("a", 1)
    receipts.stored(0, 5, [outcome("x"), outcome("a")])
    assert await asyncio.wait_for(waiting, 1) == [outcome("a")]
    assert not receipts.awaited


async def test_a_write_of_several_parts_is_stored_once_all_are() -> None:
    receipts = Receipts(2)
    waiting = receipts.expect("a", 3)
    receipts.stored(1, 5, [outcome("a", 2, 3), outcome("a", 0, 3)])
    receipts.stored(1, 5, [outcome("a", 0, 3)])
    assert not waiting.done()
    assert receipts.awaited
    receipts.stored(0, 1, [outcome("a", 1, 3)])
    assert [one.part for one in await waiting] == [0, 1, 2]


async def test_what_was_forgotten_is_not_woken() -> None:
    receipts = Receipts(1)
    waiting = receipts.expect("a", 1)
    receipts.forget("a")
    receipts.stored(0, 1, [outcome("a")])
    assert not waiting.done()
    receipts.forget("a")


async def test_a_waiter_that_went_away_disturbs_nobody() -> None:
    receipts = Receipts(1)
    gone, there = receipts.expect("a", 1), receipts.expect("b", 1)
    gone.cancel()
    receipts.stored(0, 1, [outcome("a"), outcome("b")])
    assert (await there)[0].id == "b"


async def test_two_who_wait_for_one_write_are_both_woken() -> None:
    receipts = Receipts(1)
    first, second = receipts.expect("a", 1), receipts.expect("a", 1)
    receipts.stored(0, 1, [outcome("a")])
    assert (await asyncio.wait_for(second, 0.2))[0].id == "a"
    assert (await asyncio.wait_for(first, 0.2))[0].id == "a"


async def test_who_goes_away_does_not_take_the_other_waiter_along() -> None:
    receipts = Receipts(1)
    receipts.expect("a", 1)
    other = receipts.expect("a", 1)
    receipts.forget("a")
    receipts.stored(0, 1, [outcome("a")])
    assert (await asyncio.wait_for(other, 0.2))[0].id == "a"


async def test_gates_are_told_of_their_partition_until_they_leave() -> None:
    receipts, gate = Receipts(3), Gate([])
    leave = receipts.on_passed(gate)
    receipts.stored(2, 7, [])
    receipts.passed(0, 3)
    leave()
    receipts.passed(1, 9)
    assert gate.called == [2, 0]
    assert [receipts.committed(p) for p in range(3)] == [3, 9, 7]
