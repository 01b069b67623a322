"""Ids of writes: (lane run, counter), minted before the append, with a proof that they were given."""

from collections.abc import Callable
from typing import Final

from rules.ids import was_given, write_id
from storage.writes import COUNTER_SHIFT

_MILLISECOND: Final = 1_000_000


class Mint:
    """Mints the ids of one lane run. Counters rise with the clock (ns), and never fall where it does."""

    def __init__(self, run: int, seed: int, clock: Callable[[], int]) -> None:
        self._run = run
        self._seed = seed
        self._clock = clock
        self._last = 0

    def next(self, workspace: str) -> str:
        """Return a new id for a write of this workspace."""
        self._last = max(self._last + 1, (self._clock() // _MILLISECOND) << COUNTER_SHIFT)
        return write_id(self._run, self._last, self._seed, workspace)

    def gave(self, text: str, workspace: str) -> bool:
        """Return whether some run of this database gave this id to a write of this workspace."""
        return was_given(text, self._seed, workspace)


def minted_at(counter: int) -> int:
    """Return when (ns) a counter was minted."""
    return (counter >> COUNTER_SHIFT) * _MILLISECOND
