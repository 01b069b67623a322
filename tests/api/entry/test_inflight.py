"""Bytes in flight: bounded in all, shared fairly, and given back."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.entry.inflight import Held, Inflight
from rules.errors import Problem

MB = 1024 * 1024


def refused(inflight: Inflight, workspace: str, size: int) -> bool:
    try:
        inflight.hold(workspace, size).release()
    except Problem as problem:
        assert problem.code.name == "overloaded"
        return True
    return False


def test_no_more_than_all_may_hold_is_taken() -> None:
    inflight = Inflight(100)
    held = [inflight.hold(name, 30) for name in "abc"]
    assert refused(inflight, "d", 11)
    assert not refused(inflight, "d", 10)
    held[0].release()
    assert not refused(inflight, "d", 40)


def test_a_workspace_holds_half_of_all_and_others_the_rest() -> None:
    inflight = Inflight(100)
    inflight.hold("a", 25)
    inflight.hold("A", 25)
    assert refused(inflight, "a", 1)
    assert not refused(inflight, "b", 50)


def test_a_single_request_may_be_as_large_as_its_limits_allow_however_its_bytes_come() -> None:
    inflight = Inflight(64 * MB)
    held = inflight.hold("a", 0)
    for _ in range(60):
        held.add(MB)
    assert inflight.total == 60 * MB
    assert refused(inflight, "a", MB)
    held.release()
    assert inflight.total == 0


def test_what_is_larger_than_all_that_may_be_held_is_too_large_and_not_told_to_come_again() -> None:
    inflight = Inflight(100)
    inflight.hold("other", 90)
    held = inflight.hold("a", 5)
    for too_much in (lambda: held.add(96), lambda: held.foresee(96), lambda: inflight.hold("a", 101)):
        with pytest.raises(Problem, match="SLUICE_MAX_INFLIGHT") as refused:
            too_much()
        assert (refused.value.code.name, refused.value.retry_after) == ("body_too_large", None)
    held.foresee(95)
    assert refused_as(lambda: held.add(95)) == "overloaded"
    assert inflight.total == 95


def test_what_was_reserved_for_a_body_counts_once_when_it_says_its_size() -> None:
    held = Inflight(100).reserving("a")
    held.reserve(90)
    held.foresee(90)
    held.foresee(100)
    assert refused_as(lambda: held.foresee(101)) == "body_too_large"
    held.add(90)
    assert refused_as(lambda: held.add(11)) == "body_too_large"


def refused_as(call: Callable[[], object]) -> str:
    with pytest.raises(Problem) as refused:
        call()
    return refused.value.code.name


def test_release_is_once() -> None:
    inflight = Inflight(100)
    held = inflight.hold("a", 10)
    other = inflight.hold("a", 10)
    held.release()
    held.release()
    assert inflight.total == 10
    other.release()
    assert inflight.total == 0


def test_what_was_refused_holds_nothing() -> None:
    inflight = Inflight(100)
    held = inflight.hold("a", 40)
    with pytest.raises(Problem):
        held.add(70)
    assert inflight.total == 40
    held.release()
    assert inflight.total == 0


def test_what_comes_takes_from_what_was_reserved_and_then_more() -> None:
    inflight = Inflight(100)
    held = inflight.reserving("A")
    held.reserve(30)
    held.add(20)
    held.add(20)
    assert inflight.total == 40
    with pytest.raises(Problem):
        held.add(70)
    held.release()
    assert inflight.total == 0


def test_more_than_all_may_hold_is_not_waited_for() -> None:
    inflight = Inflight(100)
    held = inflight.reserving("a")
    held.reserve(1_000)
    assert inflight.total == 100
    held.add(100)
    held.release()
    assert inflight.total == 0


@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.booleans()), max_size=30))
def test_the_bound_holds_whatever_comes_and_nothing_is_left_behind(
    steps: list[tuple[str, int, bool]],
) -> None:
    inflight = Inflight(100)
    holds: list[Held] = []
    for workspace, size, give_back in steps:
        if give_back and holds:
            holds.pop(0).release()
        else:
            try:
                holds.append(inflight.hold(workspace, size))
            except Problem:
                continue
        assert 0 <= inflight.total <= 100
    for held in holds:
        held.release()
    assert inflight.total == 0
