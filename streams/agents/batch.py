"""A batch of envelopes, sorted out: what goes to which dataset, what is only published, what is set aside.

No I/O: datasets, repeats and stored rows come in as values, a `Plan` comes out that says everything the
transaction will write and every event it stands for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rules.envelope import (
    EVENT,
    ID_FIELD,
    PERSIST,
    TIME_FIELD,
    Happened,
    Origin,
    Record,
    Redrive,
    Write,
)
from rules.errors import DATASET_GONE, Never
from rules.fold import Applied, Draft, Folded, Outcome, Present, fold
from rules.schema.dataset import Dataset
from rules.schema.moments import format_moment
from rules.schema.stored import record_key, stored_form, without_nulls
from storage.quarantine import Quarantined
from storage.writes import Outcome as WriteOutcome

Recorded = Write | Redrive

Unfit = Mapping[tuple[int, bytes], Never]
"""Rows that the database refuses for good, by dataset id and key."""


class Placed(NamedTuple):
    """An entry with its envelope's offset and the item number of its first record."""

    offset: int
    item: int
    entry: Recorded


@dataclass(slots=True)
class Work:
    """One entry on its way: its records in stored form, and by position what became of each."""

    placed: Placed
    dataset: Dataset | None
    records: list[Record]
    repeated: bool = False
    applied: dict[int, Applied] = field(default_factory=dict)
    aside: dict[int, Never] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one transaction of persist writes, and the events it stands for."""

    works: list[Work]
    folded: list[tuple[Dataset, Folded]]
    quarantined: list[Quarantined]
    happened: list[Happened]
    redriven: list[int]


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
    to_store: dict[int, list[Work]] = {}
    for place in placed:
        entry = place.entry
        dataset = known.get(entry.dataset_id)
        work = Work(place, dataset, records_of(entry))
        if (entry.id, entry.part) in seen:
            work.repeated = True
        elif _persists(work):
            if dataset is None or entry.dataset_id in ended:
                gone = Never(
                    DATASET_GONE, f"the dataset {entry.dataset!r} was deleted before this was stored"
                )
                work.aside = dict.fromkeys(range(len(work.records)), gone)
            else:
                to_store.setdefault(dataset.id, []).append(work)
        if isinstance(entry, Redrive) or entry.keyed:
            seen.add((entry.id, entry.part))
        works.append(work)
    for mine in to_store.values():
        _bring_into_form(mine)
    return works


def _bring_into_form(works: Sequence[Work]) -> None:
    """Bring all records of one dataset into stored form at once: it goes by column, not by record."""
    dataset = works[0].dataset
    assert dataset is not None
    records, bad = stored_form(dataset, [record for work in works for record in work.records])
    start = 0
    for work in works:
        end = start + len(work.records)
        work.records = records[start:end]
        if bad:
            work.aside = {i - start: never for i, never in bad.items() if start <= i < end}
        start = end


def keys_wanted(works: Sequence[Work]) -> dict[int, tuple[Dataset, set[bytes]]]:
    """Return, by dataset id, the keys whose stored rows the fold needs."""
    wanted: dict[int, tuple[Dataset, set[bytes]]] = {}
    for work in works:
        if work.dataset is not None and work.dataset.key and not work.repeated and _persists(work):
            keys = wanted.setdefault(work.dataset.id, (work.dataset, set()))[1]
            keys.update(
                record_key(work.dataset, record)
                for position, record in enumerate(work.records)
                if position not in work.aside
            )
    return wanted


def plan(
    works: list[Work],
    stored: Mapping[int, Mapping[bytes, Present]],
    origin: tuple[int, int],
    record_bytes: int,
    unfit: Unfit,
) -> Plan:
    """Fold the works and say what happens. `origin` is (epoch, partition), `stored` rows by dataset id."""
    epoch, partition = origin
    folded = []
    for dataset, mine in _by_dataset(works).items():
        drafts, places = _drafts(mine, epoch, partition, unfit)
        result = fold(drafts, stored.get(dataset, {}), record_bytes)
        for applied in result.applied:
            work, position = places[applied.place]
            work.applied[position] = applied
        for place, never in result.refused.items():
            work, position = places[place]
            work.aside[position] = never
        newest = max((w.dataset for w in mine if w.dataset is not None), key=lambda d: d.version)
        folded.append((newest, result))
    return Plan(
        works,
        folded,
        [q for work in works for q in _set_aside(work, epoch, partition)],
        [h for work in works for h in _happened(work, epoch, partition)],
        [w.placed.entry.quarantine_id for w in works if isinstance(w.placed.entry, Redrive)],
    )


def outcome(work: Work) -> WriteOutcome:
    """Return what is kept of the entry."""
    entry = work.placed.entry
    became = [applied.outcome for applied in work.applied.values()]
    return WriteOutcome(
        entry.id,
        entry.part,
        entry.parts,
        entry.workspace,
        entry.dataset,
        entry.at,
        entry.flags,
        work.placed.item,
        len(work.records),
        entry.rejected if isinstance(entry, Write) else 0,
        became.count(Outcome.INSERTED),
        became.count(Outcome.REPLACED),
        became.count(Outcome.IGNORED),
        0,
        len(work.aside),
    )


def _persists(work: Work) -> bool:
    return bool(work.placed.entry.flags & PERSIST)


def _by_dataset(works: Sequence[Work]) -> dict[int, list[Work]]:
    grouped: dict[int, list[Work]] = {}
    for work in works:
        if work.dataset is not None and not work.repeated and _persists(work):
            grouped.setdefault(work.dataset.id, []).append(work)
    return grouped


def _drafts(
    works: Sequence[Work], epoch: int, partition: int, unfit: Unfit
) -> tuple[list[Draft], list[tuple[Work, int]]]:
    drafts: list[Draft] = []
    places: list[tuple[Work, int]] = []
    for work in works:
        dataset, entry = work.dataset, work.placed.entry
        assert dataset is not None
        handling = entry.handling
        envelope = Origin(epoch, partition, work.placed.offset, 0).envelope()
        for position, record in enumerate(work.records):
            if position in work.aside:
                continue
            origin = envelope + (work.placed.item + position).to_bytes(4, "big")
            first_id = entry.record_id if isinstance(entry, Redrive) else origin.hex()
            key = record_key(dataset, record) if dataset.key else origin
            if unfit and (dataset.id, key) in unfit:
                work.aside[position] = unfit[dataset.id, key]
                continue
            drafts.append(Draft(key, first_id, entry.at, handling, record, len(places)))
            places.append((work, position))
    return drafts, places


def _happened(work: Work, epoch: int, partition: int) -> Iterator[Happened]:
    entry = work.placed.entry
    if not entry.flags & EVENT or work.repeated:
        return
    stored = _persists(work)
    items: list[int] = []
    images: list[Record] = []
    for position, record in enumerate(work.records):
        if stored:
            applied = work.applied.get(position)
            if applied is None or applied.outcome is Outcome.IGNORED:
                continue
            image = _image(applied.image, applied.id, applied.at, work.dataset)
        else:
            origin = Origin(epoch, partition, work.placed.offset, work.placed.item + position)
            image = _image(without_nulls(record), origin.text(), entry.at, None)
        items.append(work.placed.item + position)
        images.append(image)
    if items:
        yield Happened(
            epoch,
            work.placed.offset,
            entry.workspace,
            entry.dataset,
            entry.dataset_id,
            entry.at,
            stored,
            items,
            images,
        )


def _image(record: Record, record_id: str, at: int, dataset: Dataset | None) -> Record:
    image = {**record, ID_FIELD: record_id}
    if dataset is None or dataset.date is None:
        image[TIME_FIELD] = format_moment(at)
    return image


def _set_aside(work: Work, epoch: int, partition: int) -> Iterator[Quarantined]:
    entry = work.placed.entry
    for position, never in sorted(work.aside.items()):
        origin = Origin(epoch, partition, work.placed.offset, work.placed.item + position)
        yield Quarantined(
            entry.workspace,
            entry.dataset,
            entry.dataset_id,
            entry.id,
            entry.index_of(position) if isinstance(entry, Write) else 0,
            never.code.name,
            never.message,
            records_of(entry)[position],
            entry.record_id if isinstance(entry, Redrive) else origin.text(),
            entry.flags,
            entry.handling,
            entry.at,
        )
