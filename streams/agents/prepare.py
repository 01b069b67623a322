"""Entries of a batch brought into stored form, each with what is known of it so far."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from rules.envelope import PERSIST, Record, Redrive, Write
from rules.errors import DATASET_GONE, Never
from rules.fold import Applied, Present
from rules.schema.carry import carried_on
from rules.schema.dataset import Dataset
from rules.schema.stored import record_key, stored_form

Recorded = Write | Redrive
Form = Callable[[Dataset, Sequence[Record]], tuple[list[Record], dict[int, Never]]]


class Placed(Struct, frozen=True):
    """An entry with its envelope's offset and the item number of its first record."""

    offset: int
    item: int
    entry: Recorded


class Work(Struct):
    """One entry on its way: its records in stored form, and by position what became of each.

    Where all its records are inserted, `rows` says as which, and `applied` is empty.
    """

    placed: Placed
    dataset: Dataset | None
    records: list[Record]
    repeated: bool = False
    keys: Sequence[bytes] = ()
    rows: Sequence[Present] = ()
    applied: dict[int, Applied] = {}
    aside: dict[int, Never] = {}


def records_of(entry: Recorded) -> list[Record]:
    """Return an entry's records."""
    return [entry.record] if isinstance(entry, Redrive) else entry.records


def prepare(
    placed: Sequence[Placed],
    known: Mapping[int, Dataset | None],
    repeats: set[tuple[str, int]],
    ended: set[int],
) -> list[Work]:
    """Bring each entry's records into stored form.

    `known` gives the datasets of the batch by id (None: dropped for good), `repeats` the (writeId, part)
    that were applied before, `ended` the ids of datasets that have ended in this partition.
    """
    works = []
    seen = set(repeats)
    to_store: dict[tuple[int, bool], list[Work]] = {}
    for place in placed:
        entry = place.entry
        dataset = known.get(entry.dataset_id)
        work = Work(place, dataset, records_of(entry))
        if (entry.id, entry.part) in seen:
            work.repeated = True
        elif persists(work):
            if dataset is None or entry.dataset_id in ended:
                gone = Never(
                    DATASET_GONE, f"the dataset {entry.dataset!r} was deleted before this was stored"
                )
                work.aside = dict.fromkeys(range(len(work.records)), gone)
            else:
                early = entry.version < dataset.carried
                to_store.setdefault((dataset.id, early), []).append(work)
        if isinstance(entry, Redrive) or entry.keyed:
            seen.add((entry.id, entry.part))
        works.append(work)
    for (_, early), mine in to_store.items():
        _bring_into_form(mine, carried_on if early else stored_form)
    return works


def _bring_into_form(works: Sequence[Work], form: Form) -> None:
    """Bring all records of one dataset into stored form at once: it goes by column, not by record."""
    dataset = works[0].dataset
    assert dataset is not None
    records, bad = form(dataset, [record for work in works for record in work.records])
    start = 0
    for work in works:
        end = start + len(work.records)
        work.records = records[start:end]
        if bad:
            work.aside = {i - start: never for i, never in bad.items() if start <= i < end}
        start = end


def keys_wanted(works: Sequence[Work]) -> dict[int, tuple[Dataset, set[bytes]]]:
    """Return, by dataset id, the keys whose stored rows the fold needs; each work is given its own."""
    wanted: dict[int, tuple[Dataset, set[bytes]]] = {}
    for work in works:
        if work.dataset is not None and work.dataset.key and not work.repeated and persists(work):
            dataset, aside = work.dataset, work.aside
            work.keys = [
                b"" if position in aside else record_key(dataset, record)
                for position, record in enumerate(work.records)
            ]
            keys = wanted.setdefault(dataset.id, (dataset, set()))[1]
            keys.update(key for position, key in enumerate(work.keys) if position not in aside)
    return wanted


def persists(work: Work) -> bool:
    """Return whether an entry is to be stored."""
    return bool(work.placed.entry.flags & PERSIST)
