"""What a run is made of: the seed, how many rounds, and which share of them is this process's."""

import os
import random
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

SEED: Final = os.environ.get("CRASH_SEED") or f"{random.randrange(2**32):08x}"
"""Given back by `CRASH_SEED`, it decides again what clients do and when the broker is killed."""

ROUNDS: Final = int(os.environ.get("CRASH_ROUNDS") or 3)
ERA: Final = 20
"""Random kills over one data directory."""


def shared(items: Sequence[T]) -> list[T]:
    """Return this process's part of the items: all, or as `CRASH_SHARE=place/of` says, a run of them."""
    place, _, of = (os.environ.get("CRASH_SHARE") or "0/1").partition("/")
    begin, end = (len(items) * each // int(of) for each in (int(place), int(place) + 1))
    return list(items[begin:end])
