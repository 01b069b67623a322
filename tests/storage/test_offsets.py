"""The offsets row: exact continuity, one holder, and nothing that is not the holder's to write."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from storage.offsets import NotHere, NotOurs, Place, Token, advance, claim, lock, places
from storage.store import Store

OURS = Token(0, 1)

_numbers = count()


def claimed(store: Store, token: Token = OURS, start: int = 0, partition: int = 0) -> Place:
    return store.write(lambda c: claim(c, "log", "persist", partition, token, start)).result(5)


def stepped(store: Store, place: Place, first: int, after: int) -> Place:
    def body(c: Connection) -> Place:
        new = replace(lock(c, place, first), next=after)
        advance(c, new)
        return new

    return store.write(body).result(5)


def test_a_role_that_was_never_here_begins_at_the_start(store: Store) -> None:
    place = claimed(store, start=42)
    assert (place.next, place.last, place.token) == (42, (0, -1, -1), OURS)
    assert claimed(store, start=99).next == 42


@pytest.mark.parametrize("first", [0, 4, 6, 100])
def test_a_batch_that_does_not_continue_exactly_is_sent_to_where_it_goes_on(store: Store, first: int) -> None:
    place = claimed(store, start=5)
    with pytest.raises(NotHere) as told:
        stepped(store, place, first, 10)
    assert told.value.next == 5
    assert stepped(store, place, 5, 7).next == 7


def test_a_repeat_of_a_batch_is_refused(store: Store) -> None:
    place = claimed(store)
    stepped(store, place, 0, 3)
    with pytest.raises(NotHere):
        stepped(store, place, 0, 3)
    assert claimed(store).next == 3


@pytest.mark.parametrize("higher", [Token(0, 2), Token(1, 0), Token(1, 5)])
def test_a_higher_token_takes_over_and_the_lower_one_writes_no_more(store: Store, higher: Token) -> None:
    place = claimed(store)
    stepped(store, place, 0, 3)
    assert claimed(store, higher).next == 3
    with pytest.raises(NotOurs):
        stepped(store, place, 3, 5)
    with pytest.raises(NotOurs):
        claimed(store, OURS)
    assert stepped(store, replace(place, token=higher), 3, 4).next == 4


def test_a_place_nobody_claimed_is_not_ours(store: Store) -> None:
    with pytest.raises(NotOurs):
        stepped(store, Place("log", "persist", 9, 0, OURS), 0, 1)


def test_everything_of_a_place_is_kept(store: Store) -> None:
    place = claimed(store)
    full = replace(
        place, next=2**62, last=(3, 2**62, 2**33), last_now=2**62, aside_row=1, aside_recent=2, seen_recent=3
    )
    store.write(lambda c: advance(c, full)).result(5)
    assert claimed(store) == full
    assert store.read(lambda c: places(c, "log")).result(5) == [full]


def test_roles_partitions_and_logs_do_not_meet(store: Store) -> None:
    stepped(store, claimed(store), 0, 3)
    assert claimed(store, partition=1).next == 0
    assert store.write(lambda c: claim(c, "log", "judge", 0, OURS, 0)).result(5).next == 0
    assert store.write(lambda c: claim(c, "other", "persist", 0, OURS, 0)).result(5).next == 0
    assert len(store.read(lambda c: places(c, "log")).result(5)) == 3


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3)), max_size=8))
def test_whatever_comes_the_place_moves_without_gap_or_step_back(
    store: Store, steps: list[tuple[int, int]]
) -> None:
    log = f"log{next(_numbers)}"
    place = store.write(lambda c: claim(c, log, "persist", 0, OURS, 0)).result(5)
    at = 0
    for first, length in steps:
        if first == at:
            assert stepped(store, place, first, first + length).next == at + length
            at += length
        else:
            with pytest.raises(NotHere) as told:
                stepped(store, place, first, first + length)
            assert told.value.next == at
