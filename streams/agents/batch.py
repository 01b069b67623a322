"""A batch of envelopes, sorted out: what goes to which dataset, what is only published, what is set aside.

No I/O: datasets, repeats and stored rows come in as values, a `Plan` comes out that says everything the
transaction will write and every event it stands for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules.envelope import (
    EVENT,
    ID_FIELD,
    TIME_FIELD,
    Happened,
    Origin,
    Record,
    Redrive,
    Write,
)
from rules.errors import Never
from rules.fold import Applied, Draft, Folded, Outcome, Present, fold
from rules.schema.dataset import Dataset
from rules.schema.moments import format_moment
from rules.schema.stored import record_key, without_nulls
from storage.quarantine import Quarantined
from storage.writes import Outcome as WriteOutcome
from streams.agents.prepare import Work, persists, records_of

Unfit = Mapping[tuple[int, bytes], Never]
"""Rows that the database refuses for good, by dataset id and key."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one transaction of persist writes, and the events it stands for."""

    works: list[Work]
    folded: list[tuple[Dataset, Folded]]
    quarantined: list[Quarantined]
    happened: list[Happened]
    redriven: list[int]


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
        if mine[0].dataset is not None and not mine[0].dataset.key and not unfit:
            folded.append((_newest(mine), _inserts(mine, epoch, partition)))
            continue
        drafts, places = _drafts(mine, epoch, partition, unfit)
        result = fold(drafts, stored.get(dataset, {}), record_bytes)
        for applied in result.applied:
            work, position = places[applied.place]
            work.applied[position] = applied
        for place, never in result.refused.items():
            work, position = places[place]
            work.aside[position] = never
        folded.append((_newest(mine), result))
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


def _by_dataset(works: Sequence[Work]) -> dict[int, list[Work]]:
    grouped: dict[int, list[Work]] = {}
    for work in works:
        if work.dataset is not None and not work.repeated and persists(work):
            grouped.setdefault(work.dataset.id, []).append(work)
    return grouped


def _newest(works: Sequence[Work]) -> Dataset:
    return max((work.dataset for work in works if work.dataset is not None), key=lambda d: d.version)


def _inserts(works: Sequence[Work], epoch: int, partition: int) -> Folded:
    """Return what `fold` would make of records without a key: no two are one, so each is inserted."""
    out = Folded()
    for work in works:
        entry, item = work.placed.entry, work.placed.item
        envelope = Origin(epoch, partition, work.placed.offset, 0).envelope()
        for position, record in enumerate(work.records):
            if position in work.aside:
                continue
            key = envelope + (item + position).to_bytes(4, "big")
            first_id = entry.record_id if isinstance(entry, Redrive) else key.hex()
            row = out.inserts[key] = Present(first_id, entry.at, without_nulls(record))
            work.applied[position] = Applied(position, Outcome.INSERTED, first_id, entry.at, row.record)
    return out


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
    stored = persists(work)
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
