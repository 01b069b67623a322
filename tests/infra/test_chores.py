"""Chores in several processes: one does them for all, and what others changed is known in each."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.entry.gate import Gate
from infra.chores import Duty, Renewal
from rules.errors import Problem
from rules.ids import token_hash
from rules.schema.declare import declare
from rules.token import Token
from storage import datasets, tokens
from storage.store import Store
from streams.catalogue import Catalogue
from tests.storage.database import opened

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "sluice.db") as store:
        yield store


async def test_of_two_processes_one_does_the_chores_until_it_leaves_them(store: Store) -> None:
    done: list[int] = []

    async def mind(owner: int) -> None:
        async def do() -> None:
            done.append(owner)

        await Duty(store, owner).mind(do)

    for owner in (1, 2, 1, 2):
        await mind(owner)
    assert done == [1, 1]
    await Duty(store, 1).leave()
    for owner in (2, 1):
        await mind(owner)
    assert done == [1, 1, 2]


async def test_what_another_process_changed_is_known_after_a_look(store: Store) -> None:
    catalogue, gate = Catalogue(store), Gate()
    renewal = Renewal(store, catalogue, gate)
    await renewal.once()
    made = declare("w", {"datasetId": "d", "schema": SCHEMA}, 0)
    dataset = store.write(lambda c: datasets.add(c, made, 1)).result(5)
    assert dataset is not None
    token = Token("t", frozenset({"read"}), "w")
    store.write(lambda c: tokens.keep(c, token, token_hash("sk_t"), time.time_ns())).result(5)
    headers = {b"authorization": b"Bearer sk_t"}
    assert catalogue.known("w", "d") is None
    with pytest.raises(Problem, match="bad_token"):
        gate.identify(headers, b"")
    await renewal.once()
    assert catalogue.known("w", "d") == dataset
    assert gate.identify(headers, b"").id == "t"
    store.write(lambda c: datasets.retire(c, dataset)).result(5)
    store.write(lambda c: tokens.revoke(c, "t")).result(5)
    await renewal.once()
    assert catalogue.known("w", "d") is None
    with pytest.raises(Problem, match="bad_token"):
        gate.identify(headers, b"")
