"""What is stored of a flood, against what its callers were told: by numbers, one by one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from storage import datasets
from storage.tables import physical, table_of
from tests.overload.flood import FIRST
from tests.stage.stored import read


@dataclass(frozen=True, slots=True)
class Truth:
    """Records by what became of them; all must be 0 but `stored` and `unsure` (stored, and not told)."""

    stored: int
    missing: int
    twice: int
    untold: int
    unsure: int


def compare(
    data: Path, workspace: str, dataset: str, batch: int, accepted: Iterable[int], unsure: Iterable[int]
) -> Truth:
    """Count each record of each request; `accepted` and `unsure` are the numbers of requests."""
    told, perhaps = set(accepted), set(unsure)
    seen: dict[int, bytearray] = {}
    stored = read(data, lambda c: _count(c, workspace, dataset, batch, seen))
    whole = bytes([1]) * batch
    return Truth(
        stored=stored,
        missing=sum(
            batch - batch_of.count(1) for batch_of in (seen.get(b, b"") for b in told) if batch_of != whole
        ),
        twice=sum(
            len(places) - places.count(0) - places.count(1) for places in seen.values() if places != whole
        ),
        untold=sum(batch - seen[b].count(0) for b in seen.keys() - told - perhaps),
        unsure=sum(batch - seen[b].count(0) for b in seen.keys() & perhaps),
    )


def _count(c: Connection, workspace: str, dataset: str, batch: int, seen: dict[int, bytearray]) -> int:
    found = datasets.find(c, workspace, dataset)
    assert found is not None, "nothing was stored"
    table = table_of(found)
    number, place = (table.c[physical(found.by_name[name])] for name in ("b", "k"))
    stored = 0
    for b, k in c.execute(select(number, place).execution_options(yield_per=10_000)):
        places = seen.get(b - FIRST)
        if places is None:
            places = seen[b - FIRST] = bytearray(batch)
        places[k] = min(2, places[k] + 1)
        stored += 1
    return stored
