"""Turns of analysts' questions: few at once, one of each workspace, and nobody waits for ever."""

import asyncio
from concurrent.futures import Future

import pytest

from api.entry.inquiries import WAITING, Inquiries
from rules.errors import OVERLOADED, Problem
from rules.question import Question
from tests.stage.patience import eventually


class Slow:
    """Analysts that answer when they are told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Future[bytes]]] = []

    def ask(self, question: Question) -> "Future[bytes]":
        future: Future[bytes] = Future()
        self.asked.append((question.workspace, future))
        return future

    def close(self) -> None:
        return

    @property
    def workspaces(self) -> list[str]:
        return [workspace for workspace, _ in self.asked]


def asking(inquiries: Inquiries, workspace: str) -> "asyncio.Task[bytes]":
    return asyncio.create_task(inquiries.ask(Question(workspace, "SELECT 1", {})))


async def test_a_workspace_has_one_turn_and_all_have_two() -> None:
    slow = Slow()
    inquiries = Inquiries(slow)
    tasks = [asking(inquiries, name) for name in ("a", "A", "b", "c")]
    await eventually(lambda: slow.workspaces == ["a", "b"])
    slow.asked[0][1].set_result(b"first")
    await eventually(lambda: len(slow.asked) == 3)
    slow.asked[1][1].set_result(b"second")
    await eventually(lambda: sorted(slow.workspaces) == ["A", "a", "b", "c"])
    for _, future in slow.asked[2:]:
        future.set_result(b"later")
    assert await asyncio.gather(*tasks) == [b"first", b"later", b"second", b"later"]
    assert (inquiries._own, inquiries._asking) == ({}, {})


async def test_who_waits_too_long_is_told_to_come_again() -> None:
    slow = Slow()
    inquiries = Inquiries(slow, wait=0.05)
    first = asking(inquiries, "a")
    await eventually(lambda: len(slow.asked) == 1)
    with pytest.raises(Problem) as refused:
        await asking(inquiries, "a")
    assert refused.value.code is OVERLOADED
    slow.asked[0][1].set_result(b"first")
    assert await first == b"first"
    assert (inquiries._own, inquiries._asking) == ({}, {})


async def test_no_more_of_a_workspace_wait_than_may() -> None:
    slow = Slow()
    inquiries = Inquiries(slow)
    tasks = [asking(inquiries, "a") for _ in range(WAITING + 1)]
    await eventually(lambda: len(slow.asked) == 1)
    with pytest.raises(Problem) as refused:
        await asking(inquiries, "a")
    assert refused.value.code is OVERLOADED
    for task in tasks:
        task.cancel()
    slow.asked[0][1].set_result(b"first")
    await eventually(lambda: inquiries._asking == {})


async def test_a_turn_lasts_as_long_as_its_query_where_the_caller_has_gone() -> None:
    slow = Slow()
    inquiries = Inquiries(slow)
    gone = asking(inquiries, "a")
    await eventually(lambda: len(slow.asked) == 1)
    gone.cancel()
    second = asking(inquiries, "a")
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(slow.asked) == 1
    slow.asked[0][1].set_exception(Problem(OVERLOADED))
    await eventually(lambda: len(slow.asked) == 2)
    slow.asked[1][1].set_result(b"second")
    assert await second == b"second"
