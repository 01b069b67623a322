import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerting.delivery import RETRY_SECONDS, SECOND, longest_wait, next_attempt, verdict

attempts = st.integers(1, len(RETRY_SECONDS))
jitters = st.floats(-1, 1)


def test_the_schedule_is_that_of_the_contract() -> None:
    waits = [next_attempt(attempt, 0.0, None) for attempt in range(1, 9)]
    seconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]
    assert waits == [*(wait * SECOND for wait in seconds), None]


@given(attempts, jitters)
def test_chance_moves_a_wait_by_a_fifth_at_most(attempt: int, jitter: float) -> None:
    wait = next_attempt(attempt, jitter, None)
    base = RETRY_SECONDS[attempt - 1] * SECOND
    assert wait is not None
    assert 0.8 * base <= wait <= 1.2 * base


@given(attempts, jitters, st.floats(0, 80_000) | st.floats(0, 12))
def test_retry_after_is_honoured_between_the_wait_and_twice_the_wait(
    attempt: int, jitter: float, retry_after: float
) -> None:
    wait = next_attempt(attempt, jitter, retry_after)
    base = RETRY_SECONDS[attempt - 1]
    assert wait is not None
    assert base * SECOND <= wait <= 2 * base * SECOND
    assert wait >= min(retry_after, 2 * base) * SECOND - 1


def test_a_nonsensical_retry_after_is_as_none() -> None:
    assert next_attempt(1, 0.0, math.nan) == next_attempt(1, 0.0, -3.0) == 5 * SECOND


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        next_attempt(0, 0.0, None)


@given(st.none() | st.integers(100, 599))
def test_only_2xx_is_success_and_410_disables(status: int | None) -> None:
    if status is not None and 200 <= status <= 299:
        assert verdict(status) == "delivered"
    elif status == 410:
        assert verdict(status) == "disable"
    else:
        assert verdict(status) == "retry"


@given(st.integers(1, 7), st.floats(-1, 1), st.none() | st.floats(0, 1e9))
def test_no_wait_is_longer_than_the_longest(attempt: int, jitter: float, asked: float | None) -> None:
    wait = next_attempt(attempt, jitter, asked)
    assert wait is not None
    assert wait <= longest_wait(attempt)
