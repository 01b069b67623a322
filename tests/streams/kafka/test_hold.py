"""A generation is proven only by a worker that answered all along: not by one that slept, or was put out."""

import asyncio

import pytest

from streams.agents.partition import Lost
from streams.kafka.hold import GroupHold


class Member:
    """A group's answers: what the test says, and a clock's worth of them counted."""

    def __init__(self, says: bool = True) -> None:
        self.says = says
        self.asked = 0

    async def ask(self, generation: int) -> bool:
        self.asked += 1
        return self.says


def hold(member: Member) -> GroupHold:
    return GroupHold(session=0.1, heartbeat=0.01, generation=3, ask=member.ask)


async def test_who_answers_for_two_sessions_is_proven() -> None:
    member = Member()
    begun = asyncio.get_running_loop().time()
    await hold(member).proven(3)
    assert asyncio.get_running_loop().time() - begun >= 0.2
    assert member.asked > 2


async def test_who_is_no_member_is_not() -> None:
    with pytest.raises(Lost):
        await hold(Member(says=False)).proven(3)


async def test_a_generation_that_passed_is_not() -> None:
    held = hold(Member())
    proving = asyncio.create_task(held.proven(3))
    await asyncio.sleep(0)
    held.generation = 4
    with pytest.raises(Lost):
        await proving


async def test_who_slept_a_session_long_begins_again() -> None:
    member = Member()
    held = hold(member)
    slept = False

    async def sleepy(generation: int) -> bool:
        nonlocal slept
        if member.asked == 5 and not slept:
            slept = True
            await asyncio.sleep(0.15)
        return await member.ask(generation)

    held.ask = sleepy
    begun = asyncio.get_running_loop().time()
    await held.proven(3)
    assert slept
    assert asyncio.get_running_loop().time() - begun >= 0.15 + 0.2


async def test_nobody_is_proven_before_there_is_a_group() -> None:
    with pytest.raises(Lost):
        await GroupHold(0.1, 0.01, 3).proven(3)
