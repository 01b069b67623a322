"""The backlog counts what is logged and not applied, and says when there is too much of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import Problem
from streams.backlog import Backlog


def refused(backlog: Backlog, workspace: str, now: float = 0.0, partition: int = 0) -> Problem | None:
    try:
        backlog.check(workspace, (partition,), now)
    except Problem as problem:
        assert problem.code.name == "backlog"
        assert problem.retry_after is not None and problem.retry_after >= 1
        return problem
    return None


def test_a_workspace_holds_half_of_a_partition_and_is_then_refused_alone() -> None:
    backlog = Backlog(2, 100, 60.0)
    backlog.added(0, 0, 0.0, {"a": 50})
    assert refused(backlog, "a") is None
    backlog.added(0, 1, 0.0, {"a": 1})
    assert refused(backlog, "A", 10.0) is not None
    assert refused(backlog, "b", 10.0) is None
    backlog.passed(0, 1)
    assert refused(backlog, "a", 20.0) is None


def test_a_full_partition_refuses_everybody() -> None:
    backlog = Backlog(2, 100, 60.0)
    backlog.added(1, 0, 0.0, dict.fromkeys("abcde", 21))
    assert all(refused(backlog, name, partition=1) is not None for name in ("a", "z"))
    assert refused(backlog, "z", partition=0) is None


def test_an_old_entry_refuses_everybody_until_it_is_applied() -> None:
    backlog = Backlog(1, 100, 60.0)
    backlog.added(0, 4, 10.0, {"a": 1})
    assert refused(backlog, "z", 70.0) is None
    assert refused(backlog, "z", 75.0) is not None
    assert backlog.age(0, 70.0) == 60.0
    backlog.passed(0, 5)
    assert refused(backlog, "z", 1_000.0) is None
    assert backlog.age(0, 1_000.0) == 0.0


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 1), st.dictionaries(st.sampled_from("ab"), st.integers(1, 9), min_size=1))
        | st.tuples(st.integers(0, 1), st.integers(0, 12)),
        max_size=30,
    )
)
def test_its_size_is_that_of_what_was_added_and_not_passed(
    steps: list[tuple[int, dict[str, int] | int]],
) -> None:
    backlog = Backlog(2, 10**9, 10**9)
    model: list[dict[int, int]] = [{}, {}]
    ends, passed = [0, 0], [0, 0]
    for partition, step in steps:
        if isinstance(step, int):
            passed[partition] = max(passed[partition], min(step, ends[partition]))
            backlog.passed(partition, passed[partition])
            model[partition] = {o: s for o, s in model[partition].items() if o >= passed[partition]}
        else:
            backlog.added(partition, ends[partition], 0.0, step)
            model[partition][ends[partition]] = sum(step.values())
            ends[partition] += 1
        assert [backlog.size(p) for p in (0, 1)] == [sum(model[p].values()) for p in (0, 1)]
        assert backlog.total == sum(sum(sizes.values()) for sizes in model)


def test_what_was_found_fine_is_looked_at_again_soon() -> None:
    backlog = Backlog(1, 100, 60.0)
    assert refused(backlog, "a", 5.0) is None
    backlog.added(0, 0, 5.0, {"b": 101})
    assert refused(backlog, "a", 6.0) is not None


@pytest.mark.parametrize("workspace", ["a", "b"])
def test_an_empty_backlog_lets_everybody_pass(workspace: str) -> None:
    assert refused(Backlog(4, 1, 0.1), workspace, 10**6) is None
