"""What is made of a dataset and costs something to make: kept for its latest version only.

A dataset in evolve mode may have as many versions as columns. What is made of one grows with its columns, so
bounds are on those: what is kept of a hundred wide datasets is as much as of ten thousand narrow ones.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, TypeVar

from rules.schema.dataset import Dataset

COLUMNS: Final = 100_000
"""Columns of which something is kept, ten more counted a dataset: 160 MB of tables, 60 of checkers."""
_OWN: Final = 10

Made = TypeVar("Made")


class Latest(Generic[Made]):
    """Keeps what `make` makes; what was asked for longest ago goes first. Threads may share it."""

    def __init__(self, make: Callable[[Dataset], Made], most: int = COLUMNS) -> None:
        self._make = make
        self._most = most
        self._kept: OrderedDict[int, tuple[Dataset, Made]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    @property
    def size(self) -> int:
        """The columns of what is kept, ten more counted for each dataset."""
        return self._size

    def of(self, dataset: Dataset) -> Made:
        """Return what is made of this very version.

        Of two versions of one number (a change that was undone, and another in its place) each has its own.
        """
        with self._lock:
            found = self._kept.get(dataset.id)
            if found is not None and (found[0] is dataset or found[0] == dataset):
                self._kept.move_to_end(dataset.id)
                return found[1]
        made = self._make(dataset)
        with self._lock:
            before = self._kept.pop(dataset.id, None)
            self._size += _size(dataset) - (0 if before is None else _size(before[0]))
            self._kept[dataset.id] = (dataset, made)
            while self._size > self._most and len(self._kept) > 1:
                _, (oldest, _) = self._kept.popitem(last=False)
                self._size -= _size(oldest)
        return made


def _size(dataset: Dataset) -> int:
    return len(dataset.columns) + _OWN
