"""One ordered task a partition, whatever its step runs into."""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import WRONG_TYPE as ANY_CODE
from rules.errors import Halt, Later, Never
from streams.agents.partition import Chunk, Lost, Seek
from streams.log import Message
from tests.stage.patience import eventually
from tests.streams.agents.steps import Told, ToldStep


async def test_what_is_given_is_applied_in_order() -> None:
    step = ToldStep(start=7)
    async with Told(step) as told:
        for _ in range(3):
            await eventually(lambda: told.give(2))
        await eventually(lambda: told.task.applied == 13)
        assert step.applied == [7, 8, 9, 10, 11, 12]


async def test_later_is_tried_again_and_keeps_the_order() -> None:
    step = ToldStep()
    step.trouble.extend([Later("locked"), Later("locked")])
    async with Told(step) as told:
        await eventually(lambda: told.give(2))
        await eventually(lambda: told.give(1))
        await eventually(lambda: step.applied == [0, 1, 2])
        assert step.calls == 4
        assert not told.stopped


async def test_a_claim_is_tried_again_on_later() -> None:
    step = ToldStep(start=3)
    step.claim_trouble.extend([Later("locked"), Later("locked")])
    async with Told(step) as told:
        assert (step.claims, told.task.wanted) == (3, 3)


async def test_nothing_is_fetched_before_the_claim() -> None:
    step = ToldStep()
    told = Told(step)
    assert told.task.wanted is None
    told.task.give(Chunk(0, [Message(0, 0, b"")]))
    async with told:
        assert told.task.wanted == 0
        assert step.applied == []


@pytest.mark.parametrize("to", [0, 2, 9])
async def test_a_seek_goes_on_where_the_store_is(to: int) -> None:
    step = ToldStep(start=4)
    step.trouble.append(Seek(to))
    async with Told(step) as told:
        await eventually(lambda: told.give(2))
        await eventually(lambda: told.task.wanted == to)
        assert step.applied == []
        await eventually(lambda: told.give(2))
        await eventually(lambda: step.applied == [to, to + 1])


async def test_a_chunk_fetched_before_a_seek_is_dropped() -> None:
    step = ToldStep(start=4)
    step.trouble.append(Seek(1))
    async with Told(step) as told:
        step.gate.clear()
        await eventually(lambda: told.give(2))
        await eventually(lambda: step.calls == 1)
        stale = Chunk(0, [Message(6, 0, b"")])
        step.gate.set()
        await eventually(lambda: told.task.wanted == 1)
        told.task.give(stale)
        await eventually(lambda: told.give(1))
        await eventually(lambda: step.applied == [1])
        await eventually(lambda: told.give(1))
        await eventually(lambda: step.applied == [1, 2])


async def test_chunks_fetched_before_the_first_was_handed_over_are_all_applied() -> None:
    step = ToldStep()
    async with Told(step) as told:
        # the transport may fetch again while a chunk is still in Faust's queue
        first, second = told.fetch(2), told.fetch(2)
        for chunk in (first, second):
            if chunk is not None:
                told.task.give(chunk)
        await eventually(lambda: (told.give(1), 3 in step.applied)[1], deadline=1)
        assert step.applied == list(range(len(step.applied)))


async def test_another_chunk_may_wait_while_one_is_applied_and_no_third() -> None:
    step = ToldStep()
    step.gate.clear()
    async with Told(step) as told:
        await eventually(lambda: told.give(1))
        await eventually(lambda: step.calls == 1)
        assert told.give(1)
        assert told.task.wanted is None
        step.gate.set()
        await eventually(lambda: step.applied == [0, 1])


async def test_a_task_nobody_hurries_breathes_and_goes_on() -> None:
    step = ToldStep()
    async with Told(step) as told:
        told.hurry = False
        for number in range(5):
            await eventually(lambda: told.give(1))
            await eventually(partial(_applied, step, number + 1))


@pytest.mark.parametrize(
    "error", [RuntimeError("odd"), Never(ANY_CODE, "no"), AssertionError("broken"), ZeroDivisionError()]
)
async def test_an_unknown_exception_stops_the_partition_and_says_why(error: Exception) -> None:
    step = ToldStep()
    step.trouble.append(error)
    async with Told(step) as told:
        await eventually(lambda: told.give(1))
        await eventually(lambda: bool(told.stopped))
        assert type(error).__name__ in told.stopped[0]
        assert told.task.stopped is not None
        assert told.task.wanted is None
        told.task.give(Chunk(0, [Message(0, 0, b"")]))
        assert (step.calls, step.applied) == (1, [])


async def test_a_partition_that_is_lost_stops_and_names_the_cause() -> None:
    step = ToldStep()
    step.trouble.append(Lost())
    async with Told(step) as told:
        step.claim_trouble.append(Lost())
        await eventually(lambda: told.give(1))
        await eventually(lambda: bool(told.stopped))
        assert "another worker" in told.stopped[0]


async def test_a_partition_that_is_lost_and_claimed_again_goes_on_where_the_claim_says() -> None:
    step = ToldStep()
    step.trouble.append(Lost())
    async with Told(step) as told:
        step.start = 5
        await eventually(lambda: told.give(1))
        await eventually(lambda: step.claims == 2)
        await eventually(lambda: told.give(2))
        await eventually(lambda: step.applied == [5, 6])
        assert told.stopped == []


async def test_where_less_came_than_was_on_its_way_the_rest_is_wanted_next() -> None:
    step = ToldStep()
    async with Told(step) as told:
        whole = told.fetch(5)
        assert whole is not None
        told.task.give(Chunk(0, whole.messages[:2]))
        await eventually(lambda: step.applied == [0, 1])
        await eventually(lambda: told.task.wanted == 2)
        assert told.give(3)
        await eventually(lambda: step.applied == [0, 1, 2, 3, 4])


async def test_what_a_rebalance_threw_away_is_wanted_again_at_once() -> None:
    step = ToldStep()
    async with Told(step) as told:
        thrown_away = told.fetch(3)
        assert thrown_away is not None and told.task.wanted is None
        told.task.refetch()
        assert told.task.wanted == 0
        assert told.give(2)
        told.task.give(thrown_away)
        await eventually(lambda: step.applied == [0, 1])


async def test_a_claim_that_fails_for_good_stops_the_partition_and_holds_up_nobody() -> None:
    step = ToldStep()
    step.claim_trouble.append(Halt("the log is of another time"))
    async with Told(step) as told:
        assert "another time" in told.stopped[0]
        assert told.task.wanted is None


async def test_end_leaves_the_batch_under_way() -> None:
    step = ToldStep()
    step.gate.clear()
    async with Told(step) as told:
        await eventually(lambda: told.give(1))
        await eventually(lambda: step.calls == 1)
        await told.task.end()
        step.gate.set()
        assert (step.applied, told.task.wanted, told.stopped) == ([], None, [])


@settings(deadline=None, max_examples=15)
@given(plan=st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["ok", "seek", "room"])), max_size=8))
async def test_no_order_of_troubles_loses_doubles_or_reorders(plan: list[tuple[int, str]]) -> None:
    step = ToldStep()
    async with Told(step) as told:
        for count, trouble in plan:
            if trouble == "seek":
                step.trouble.append(Seek(len(step.applied)))
            elif trouble == "room":
                step.gate.clear()
                told.give(count)
                step.gate.set()
            await eventually(partial(told.give, count))
            await eventually(lambda: told.task.wanted == told.task.applied)
            if not step.trouble:
                assert step.applied == list(range(len(step.applied)))
        await eventually(lambda: told.give(1))
        await eventually(lambda: told.task.wanted == told.task.applied)
        assert step.applied == list(range(len(step.applied)))


def _applied(step: ToldStep, count: int) -> bool:
    return step.applied == list(range(count))


async def test_where_the_log_has_trimmed_what_is_wanted_the_store_is_asked_anew() -> None:
    step = ToldStep(start=3)
    async with Told(step) as told:
        await eventually(lambda: told.task.wanted == 3)
        step.start = 8  # another worker had the partition meanwhile
        told.task.astray(3, "trimmed")
        await eventually(lambda: told.task.wanted == 8)
        await eventually(lambda: told.give(1))
        await eventually(lambda: step.applied == [8])
        assert (step.claims, told.stopped) == (2, [])


async def test_where_the_store_wants_what_the_log_has_not_the_partition_stops_and_says_so() -> None:
    step = ToldStep(start=3)
    async with Told(step) as told:
        await eventually(lambda: told.task.wanted == 3)
        told.task.astray(3, "Offset 3 is not in the log.")
        await eventually(lambda: step.claims == 2 and told.task.wanted == 3)
        told.task.astray(3, "Offset 3 is not in the log.")
        assert told.stopped == ["partition 0 stopped: Offset 3 is not in the log."]
        assert told.task.wanted is None
