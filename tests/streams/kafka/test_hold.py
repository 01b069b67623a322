"""A generation is proven only by a worker that answered all along: not by one that slept, or was put out."""

import asyncio
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from rules.errors import Later
from streams.agents.partition import Lost
from streams.kafka.hold import GroupHold

SESSION = 10.0
HEARTBEAT = 1.0


class Member:
    """A group's answers, each with the seconds it took; a clock that counts them."""

    def __init__(self, says: Iterator[tuple[bool | None, float]]) -> None:
        self.says = says
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    async def ask(self, generation: int) -> bool | None:
        said, took = next(self.says)
        self.now += took
        return said

    async def proven(self) -> float:
        """Have the generation proven, and return how long that took."""
        begun = self.now
        await GroupHold(SESSION, 0, 3, self.ask, self.clock).proven(3)
        return self.now - begun


async def test_who_answers_for_two_sessions_is_proven() -> None:
    assert await Member(repeat((True, HEARTBEAT))).proven() == 2 * SESSION


async def test_who_is_no_member_is_not() -> None:
    with pytest.raises(Lost):
        await Member(repeat((False, HEARTBEAT))).proven()


async def test_a_generation_that_passed_is_not() -> None:
    member = Member(repeat((True, HEARTBEAT)))
    held = GroupHold(SESSION, 0, 3, member.ask, member.clock)
    proving = asyncio.create_task(held.proven(3))
    await asyncio.sleep(0)
    held.generation = 4
    with pytest.raises(Lost):
        await proving


async def test_who_slept_a_session_long_begins_again() -> None:
    member = Member(chain(repeat((True, HEARTBEAT), 5), [(True, 1.5 * SESSION)], repeat((True, HEARTBEAT))))
    assert await member.proven() == 5 * HEARTBEAT + 1.5 * SESSION + 2 * SESSION


async def test_an_answer_that_did_not_come_is_neither_yes_nor_no() -> None:
    answers: list[tuple[bool | None, float]] = [(True, 9 * HEARTBEAT), (None, HEARTBEAT / 2)]
    assert await Member(chain(answers, repeat((True, HEARTBEAT / 2)))).proven() == 2 * SESSION
    with pytest.raises(Lost):
        await Member(iter([*answers, (False, 0.0)])).proven()


async def test_while_kafka_is_away_nothing_is_proven_and_the_count_begins_again() -> None:
    away = chain(repeat((True, HEARTBEAT), 15), repeat((None, HEARTBEAT), 12), repeat((True, HEARTBEAT)))
    # the first answer after it ends the gap
    assert await Member(away).proven() == 15 + 12 + HEARTBEAT + 2 * SESSION


async def test_where_kafka_says_nothing_for_long_the_claim_is_tried_anew() -> None:
    with pytest.raises(Later):
        await Member(repeat((None, HEARTBEAT))).proven()


async def test_nobody_is_proven_before_there_is_a_group() -> None:
    with pytest.raises(Lost):
        await GroupHold(SESSION, 0, 3).proven(3)
