"""A batch of envelopes, sorted out: what goes to which dataset, what is only published, what is set aside.

No I/O: datasets, repeats and stored rows come in as values, a `Plan` comes out that says everything the
transaction will write and every event it stands for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

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
from rules.schema.stored import without_nulls
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
        if not unfit and _only_inserts(mine, stored.get(dataset)):
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
    became = [applied.outcome for applied in work.applied.values()] if work.applied else []
    inserted = len(work.rows) + became.count(Outcome.INSERTED)
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
        inserted,
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


def _only_inserts(works: Sequence[Work], present: Mapping[bytes, Present] | None) -> bool:
    """Return whether no record of a dataset's entries meets another, nor has an `_id` of its own.

    They have no key, or keys that are all different and of which none is stored.
    """
    if present or any(work.aside or not isinstance(work.placed.entry, Write) for work in works):
        return False
    if not any(work.dataset is not None and work.dataset.key for work in works):
        return True
    return len({key for work in works for key in work.keys}) == sum(len(work.records) for work in works)


def _inserts(works: Sequence[Work], epoch: int, partition: int) -> Folded:
    """Return what `fold` would make of records that only are inserted, but for what became of each.

    Most records come here, so it goes by the entry and not by the record.
    """
    out = Folded()
    for work in works:
        placed = work.placed
        envelope = Origin(epoch, partition, placed.offset, 0).envelope()
        items = range(placed.item, placed.item + len(work.records))
        origins = [envelope + item.to_bytes(4, "big") for item in items]
        at = placed.entry.at
        rows = [
            Present(origin.hex(), at, record if None not in record.values() else without_nulls(record))
            for origin, record in zip(origins, work.records, strict=True)
        ]
        work.rows = rows
        out.inserts.update(zip(work.keys or origins, rows, strict=True))
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
            key = work.keys[position] if dataset.key else origin
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
    items, rows = _told(work, epoch, partition, stored)
    if items:
        untimed = stored and work.dataset is not None and work.dataset.date is not None
        yield Happened(
            epoch,
            work.placed.offset,
            entry.workspace,
            entry.dataset,
            entry.dataset_id,
            entry.at,
            stored,
            items,
            [{**row.record, ID_FIELD: row.id} for row in rows] if untimed else _timed(rows),
        )


def _told(
    work: Work, epoch: int, partition: int, stored: bool
) -> tuple[list[int], Sequence[Present | Applied]]:
    """Return the items of an entry's records that happened, and how each stands after it."""
    first, entry = work.placed.item, work.placed.entry
    if not stored:
        ids = (Origin(epoch, partition, work.placed.offset, first + i).text() for i in count())
        published = [Present(i, entry.at, without_nulls(r)) for i, r in zip(ids, work.records, strict=False)]
        return list(range(first, first + len(published))), published
    if work.rows:
        return list(range(first, first + len(work.rows))), work.rows
    changed = {p: a for p, a in work.applied.items() if a.outcome is not Outcome.IGNORED}
    return [first + position for position in changed], list(changed.values())


def _timed(rows: Sequence[Present | Applied]) -> list[Record]:
    """Return the images of rows whose dataset has no date column; those of one entry arrived together."""
    images: list[Record] = []
    at, time = 0, format_moment(0)
    for row in rows:
        if row.at != at:
            at, time = row.at, format_moment(row.at)
        images.append({**row.record, ID_FIELD: row.id, TIME_FIELD: time})
    return images


def _set_aside(work: Work, epoch: int, partition: int) -> Iterator[Quarantined]:
    entry = work.placed.entry
    name = entry.dataset if work.dataset is None else work.dataset.name  # it may have been renamed since
    for position, never in sorted(work.aside.items()):
        origin = Origin(epoch, partition, work.placed.offset, work.placed.item + position)
        yield Quarantined(
            entry.workspace,
            name,
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
