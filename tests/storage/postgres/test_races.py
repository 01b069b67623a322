"""Two transactions that meet where it matters: the one that came first is held while the other tries."""

import threading
from functools import partial

import pytest
from sqlalchemy import Connection

from rules.schema.declare import declare
from storage import datasets, offsets
from storage.offsets import Place, Token
from storage.postgres.engine import PostgresStore

DEADLINE = 60.0
A_WHILE = 0.5
"""Seconds that the first one gives the second to overtake it, which it must not."""


def test_two_partitions_that_end_a_dataset_at_once_leave_no_table(store: PostgresStore) -> None:
    made = declare("w", {"datasetId": "d"}, 0)
    dataset = store.write(lambda c: datasets.add(c, made, 1)).result(DEADLINE)
    assert dataset is not None
    begun, other_done = threading.Event(), threading.Event()

    def first(c: Connection) -> None:
        datasets.end(c, dataset, 0, 2)
        begun.set()
        other_done.wait(A_WHILE)

    one = store.write(first)
    assert begun.wait(DEADLINE)
    other = store.write(partial(datasets.end, dataset=dataset, partition=1, of=2))
    other.add_done_callback(lambda _: other_done.set())
    for future in (one, other):
        future.result(DEADLINE)
    assert store.read(lambda c: datasets.by_id(c, dataset.id)).result(DEADLINE) is None


def test_a_claim_with_a_lower_token_does_not_overwrite_a_higher_one(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claim(generation: int, c: Connection) -> Place:
        return offsets.claim(c, "log", "persist", 0, Token(0, generation), 0)

    store.write(partial(claim, 1)).result(DEADLINE)
    begun, other_done = threading.Event(), threading.Event()
    advance = offsets.advance

    def slow(c: Connection, place: Place) -> None:
        if place.token.generation == 2:
            begun.set()
            other_done.wait(A_WHILE)
        advance(c, place)

    monkeypatch.setattr(offsets, "advance", slow)
    lower = store.write(partial(claim, 2))
    assert begun.wait(DEADLINE)
    higher = store.write(partial(claim, 3))
    higher.add_done_callback(lambda _: other_done.set())
    assert lower.exception(DEADLINE) is None
    higher.result(DEADLINE)
    (place,) = store.read(lambda c: offsets.places(c, "log")).result(DEADLINE)
    assert place.token == Token(0, 3)
