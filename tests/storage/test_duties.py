"""A duty is one owner's at a time, and comes to another one when its time is over."""

from storage import duties
from storage.store import Store


def take(store: Store, owner: int, now: int, name: str = "chores") -> bool:
    return store.write(lambda c: duties.take(c, name, owner, now, now + 10)).result(5)


def test_who_comes_first_has_it_and_keeps_it_as_long_as_it_comes_again(store: Store) -> None:
    assert take(store, 1, 100)
    assert not take(store, 2, 105)
    assert take(store, 1, 109)
    assert not take(store, 2, 118)


def test_one_that_was_not_heard_of_loses_it_to_whoever_comes(store: Store) -> None:
    assert take(store, 1, 100)
    assert take(store, 2, 110)
    assert not take(store, 1, 111)


def test_what_is_left_is_free_at_once_and_of_others_nothing_is_taken(store: Store) -> None:
    assert take(store, 1, 100) and take(store, 2, 100, "another")
    store.write(lambda c: duties.leave(c, 1)).result(5)
    assert take(store, 3, 101)
    assert not take(store, 3, 101, "another")
