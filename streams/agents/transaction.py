"""The bodies of persist's transactions: functions of a connection, run again from the start on Later."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from rules.condition.where import read_where
from rules.envelope import DatasetEnd, Delete, Redrive
from rules.errors import DATASET_GONE, RECORD_TOO_LARGE, SCHEMA_CHANGED
from rules.ids import run_and_counter
from rules.limits import Limits
from rules.quarantine import Failures, count
from rules.schema.dataset import Dataset
from storage import datasets, quarantine, removal, writes
from storage.offsets import Place
from storage.upsert import insert_rows, update_rows
from storage.writes import Outcome, Standing
from streams.agents.batch import Plan
from streams.agents.prepare import Work
from streams.positions import Setting

_INNOCENT: Final = (DATASET_GONE, RECORD_TOO_LARGE, SCHEMA_CHANGED)


def writing(
    made: Plan, outcomes: Sequence[Outcome], after: int, setting: Setting
) -> Callable[[Connection, Place], tuple[Place, None]]:
    """Return the transaction's body: rows, outcomes, quarantine; and the place it leaves behind."""
    now = setting.clock()

    def body(c: Connection, place: Place) -> tuple[Place, None]:
        for dataset, folded in made.folded:
            insert_rows(c, dataset, place.partition, folded.inserts)
            update_rows(c, dataset, place.partition, folded.updates)
        for quarantine_id in made.redriven:
            quarantine.drop(c, quarantine_id)
        quarantine.keep(c, made.quarantined)
        _keep(c, made.works, outcomes, (setting.epoch, place.partition), now)
        before = Failures(place.aside_row, place.aside_recent, place.seen_recent)
        failures = count(before, _verdicts(made.works))
        place = replace(
            place,
            next=after,
            aside_row=failures.row,
            aside_recent=failures.recent,
            seen_recent=failures.seen,
        )
        return place, None

    return body


def _verdicts(works: Sequence[Work]) -> list[bool]:
    """Return of each record that was to be stored whether it was set aside for what it is.

    What came behind its dataset's end, and merges that grew too large, say nothing of us or the database.
    """
    if not any(work.aside for work in works):
        return [False] * sum(len(w.records) for w in works if w.dataset is not None and not w.repeated)
    return [
        position in work.aside
        for work in works
        if work.dataset is not None and not work.repeated
        for position in range(len(work.records))
        if position not in work.aside or work.aside[position].code not in _INNOCENT
    ]


def _keep(
    c: Connection, works: Sequence[Work], outcomes: Sequence[Outcome], origin: tuple[int, int], now: int
) -> None:
    epoch, partition = origin
    packed: dict[tuple[int, int], tuple[list[int], list[Outcome]]] = {}
    for work, result in zip((w for w in works if not w.repeated), outcomes, strict=True):
        entry, offset = work.placed.entry, work.placed.offset
        if isinstance(entry, Redrive) or entry.keyed or work.aside:
            writes.keep_own(c, result, Standing(partition, offset, epoch), now)
            continue
        run, counter = run_and_counter(result.id)
        counters, mine = packed.setdefault((run, offset), ([], []))
        counters.append(counter)
        mine.append(result)
    for (run, offset), (counters, mine) in packed.items():
        writes.keep_packed(c, run, counters, mine, Standing(partition, offset, epoch), now)


def removing(
    dataset: Dataset | None,
    partition: int,
    entry: Delete | DatasetEnd,
    offset: int,
    partitions: int,
    setting: Setting,
) -> Callable[[Connection, Place], tuple[Place, Outcome]]:
    now = setting.clock()

    def body(c: Connection, place: Place) -> tuple[Place, Outcome]:
        deleted = 0
        repeat = bool(writes.repeated(c, [(entry.id, entry.part)]))
        if dataset is not None and not repeat:
            if isinstance(entry, DatasetEnd):
                datasets.end(c, dataset, partition, partitions if dataset.partition_by else 1)
            elif not datasets.has_ended(c, dataset.id, partition):
                deleted = _remove(c, dataset, partition, entry, setting.limits)
        result = Outcome(
            entry.id,
            entry.part,
            entry.parts,
            entry.workspace,
            entry.dataset,
            entry.at,
            1,
            0,
            0,
            0,
            deleted=deleted,
        )
        if not repeat:
            writes.keep_own(c, result, Standing(partition, offset, setting.epoch), now)
        return replace(place, next=offset + 1), result

    return body


def _remove(c: Connection, dataset: Dataset, partition: int, entry: Delete, limits: Limits) -> int:
    """Delete what an entry means. One that means another key, another time than the dataset has since it was
    changed, or a condition that does not fit it any more, means nothing.
    """
    if entry.columns is not None and list(dataset.key[: len(entry.columns)]) != entry.columns:
        return 0
    timed = (entry.begin, entry.end) != (None, None)
    if timed and entry.date is not None and (dataset.date or "") != entry.date:
        return 0
    where = None
    if entry.where:
        try:
            where = read_where(entry.where, dataset, limits)
        except ValueError:
            return 0
    keys = entry.keys or ([entry.key] if entry.key else [])
    return removal.remove(c, dataset, partition, keys, entry.begin, entry.end, where)
