"""A claim goes by the generation that is in force when it is made, also where that changes while it waits."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage import offsets
from storage.offsets import Place, Token
from storage.sqlite.engine import SqliteStore
from streams.agents.partition import Lost
from streams.awaiting import on_loop
from streams.positions import RunHold, claim
from streams.topics import WRITES
from tests.storage.database import opened as database
from tests.streams.embedded.stage import opened

Claim = Callable[[object], Awaitable[Place]]


class ToldHold:
    """A hold whose proof ends as the test says."""

    def __init__(self, generation: int, then: int | None, proven: bool) -> None:
        self.generation = generation
        self._then = then
        self._proven = proven
        self.asked: list[int] = []

    async def proven(self, generation: int) -> None:
        self.asked.append(generation)
        if self._then is not None:
            self.generation = self._then
        if not self._proven:
            raise Lost


@asynccontextmanager
async def held_by(data: Path, token: Token) -> AsyncIterator[tuple[SqliteStore, Claim]]:
    """A partition that a worker with this token holds, and how to claim it."""
    with database(data / "sluice.db") as store:
        async with opened(data / "log", partitions=1) as log:
            await on_loop(store.write(lambda c: offsets.claim(c, log.identity, "persist", 0, token, 0)))
            yield store, lambda hold: claim(store, log, "persist", WRITES, 0, hold)  # type: ignore[arg-type]


async def test_a_higher_generation_takes_over_without_a_proof(tmp_path: Path) -> None:
    async with held_by(tmp_path, Token(2, 5)) as (_, take):
        hold = ToldHold(6, None, proven=False)
        assert (await take(hold)).token == Token(2, 6)
        assert hold.asked == []


async def test_a_lower_one_that_is_proven_goes_on_in_the_next_incarnation(tmp_path: Path) -> None:
    async with held_by(tmp_path, Token(2, 5)) as (_, take):
        assert (await take(ToldHold(1, None, proven=True))).token == Token(3, 1)


async def test_a_lower_one_that_is_not_proven_is_lost(tmp_path: Path) -> None:
    async with held_by(tmp_path, Token(2, 5)) as (_, take):
        with pytest.raises(Lost):
            await take(ToldHold(1, None, proven=False))
        with pytest.raises(Lost):
            await take(RunHold(4))


async def test_one_that_is_assigned_anew_while_it_is_proven_claims_by_the_new_generation(
    tmp_path: Path,
) -> None:
    async with held_by(tmp_path, Token(0, 5)) as (_, take):
        hold = ToldHold(4, 6, proven=False)
        assert (await take(hold)).token == Token(0, 6)
        assert hold.asked == [4]
