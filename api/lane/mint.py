"""Ids of writes: (lane run, counter), minted before the append, with a proof that they were given."""

from collections.abc import Callable
from typing import Final

from rules.ids import read_write_id, write_id
from storage.writes import COUNTER_SHIFT

_MILLISECOND: Final = 1_000_000


class Mint:
    """Mints the ids of one lane run. Counters rise with the clock (ns), and never fall where it does."""

    def __init__(self, run: int, seed: int, clock: Callable[[], int]) -> None:
        self._run = run
        self._seed = seed
        self._clock = clock
        self._last = 0

    def next(self) -> str:
        """Return a new id."""
        self._last = max(self._last + 1, (self._clock() // _MILLISECOND) << COUNTER_SHIFT)
        return write_id(self._run, self._last, self._seed)

    def read(self, text: str) -> tuple[int, int] | None:
        """Return (run, counter) of an id that some run of this database gave, else None."""
        return read_write_id(text, self._seed)


def minted_at(counter: int) -> int:
    """Return when (ns) a counter was minted."""
    return (counter >> COUNTER_SHIFT) * _MILLISECOND
