"""Receipts wake who waits for a write, and tell gates how far persist has come."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from rules.errors import Later
from storage.writes import Outcome
from streams.receipts import Receipts, Told


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


@dataclass
class Kept:
    """What a store would say of the writes it is asked for; it notes what it was asked."""

    stored: set[str] = field(default_factory=set)
    committed: list[tuple[int, int]] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    away: int = 0

    async def __call__(self, write_ids: Sequence[str]) -> Told:
        self.asked.append(list(write_ids))
        if self.away:
            self.away -= 1
            raise Later("the database is away")
        return Told([outcome(one) for one in write_ids if one in self.stored], self.committed)


@pytest.fixture(autouse=True)
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.receipts.ASK_EVERY", 0.02)


async def test_the_store_is_asked_for_all_who_wait_at_once_and_not_for_each() -> None:
    kept = Kept({str(n) for n in range(500)})
    receipts = Receipts(1, kept)
    waiting = [receipts.expect(str(n), 1) for n in range(500)]
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert [len(asked) for asked in kept.asked] == [500]
    assert not receipts.awaited


async def test_who_is_told_in_time_is_never_asked_for() -> None:
    asked: list[list[str]] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def ask(write_ids: Sequence[str]) -> Told:
        asked.append(list(write_ids))
        begun.set()
        await go_on.wait()
        go_on.clear()
        return Told([], [])

    receipts = Receipts(1, ask)
    receipts.expect("late", 1)
    for n in range(1, 10):  # each waits from one question to the next
        await asyncio.wait_for(begun.wait(), 10)
        begun.clear()
        receipts.stored(0, n, [outcome(str(n - 1))])
        receipts.expect(str(n), 1)
        go_on.set()
    assert asked == [["late"]] * 9


async def test_a_lost_receipt_is_made_up_for_though_the_store_is_away_at_first() -> None:
    kept = Kept({"a"}, away=2)
    waiting = Receipts(1, kept).expect("a", 1)
    assert (await asyncio.wait_for(waiting, 5))[0].id == "a"
    assert len(kept.asked) == 3


async def test_a_gate_learns_from_the_store_how_far_persist_is_and_all_gates_with_one_question() -> None:
    kept = Kept(committed=[(p, 10) for p in range(8)])
    receipts = Receipts(8, kept)
    await asyncio.wait_for(asyncio.gather(*(receipts.reached(p, 9) for p in range(8))), 5)
    assert len(kept.asked) == 1
    await receipts.reached(3, 9)
    assert len(kept.asked) == 1


async def test_a_question_names_a_bounded_number_of_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.receipts.ASKED", 3)
    kept = Kept({str(n) for n in range(7)})
    receipts = Receipts(1, kept)
    await asyncio.wait_for(asyncio.gather(*(receipts.expect(str(n), 1) for n in range(7))), 5)
    assert kept.asked == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


async def test_writes_that_are_never_stored_do_not_keep_others_from_being_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.receipts.ASKED", 3)
    kept = Kept({"late"})
    receipts = Receipts(1, kept)
    for n in range(7):
        receipts.expect(f"stuck{n}", 1)
    assert await asyncio.wait_for(receipts.expect("late", 1), 5) == [outcome("late")]
    assert len(kept.asked) <= 3


async def test_word_of_another_process_has_the_store_asked_at_once_for_all_who_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.receipts.ASK_EVERY", 60.0)
    asked: list[list[str]] = []

    async def ask(write_ids: Sequence[str]) -> Told:
        asked.append(list(write_ids))
        return Told([outcome("b")], [])

    receipts = Receipts(2, ask)
    first, second = receipts.expect("a", 1), receipts.expect("b", 1)
    await asyncio.sleep(0)
    receipts.heard(1, 7)
    assert await asyncio.wait_for(second, 10) == [outcome("b")]
    assert asked == [["a", "b"]]
    assert (receipts.committed(1), first.done()) == (7, False)
