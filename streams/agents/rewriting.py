"""A change of a dataset and of all its stored rows, in its place among the writes.

The rows are read in slices, brought into the new version and put into a copy of the table, in transactions of
their own that others come between; the last one puts copy, version and outcome in place together with the
offset. A death before it leaves everything as it was, and the copy is made anew.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection

from rules.envelope import PERSIST, Handling, Rewrite
from rules.errors import Later, Never, Problem
from rules.fold import Present
from rules.limits import Limits
from rules.schema.carry import carried
from rules.schema.check import Checker
from rules.schema.dataset import Dataset
from rules.schema.redeclare import redeclare
from rules.schema.stored import record_key, without_nulls
from storage import datasets, offsets, quarantine, rewriting, tables, writes
from storage.mismatch import Mismatch
from storage.offsets import Place
from storage.quarantine import Quarantined
from storage.rewriting import Slice
from storage.store import Store
from storage.writes import Outcome, Standing
from streams.awaiting import on_loop
from streams.positions import Setting, committed

T = TypeVar("T")

TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Slices:
    """How the holder of a partition reads and writes on the way: the offset stays at `first`."""

    store: Store
    place: Place
    first: int

    async def read(self, body: Callable[[Connection], T]) -> T:
        """Run a body that changes nothing."""
        return await on_loop(self.store.read(body))

    async def write(self, body: Callable[[Connection], None]) -> None:
        """Run a transaction, if the partition is still ours. Raises: Seek, Lost."""

        def transaction(c: Connection) -> None:
            offsets.lock(c, self.place, self.first)
            body(c)

        await committed(self.store.write(transaction))


@dataclass(frozen=True, slots=True)
class Made:
    """What becomes of an entry: the version it makes (None: it changes nothing), how many rows it read."""

    entry: Rewrite
    old: Dataset | None
    new: Dataset | None
    read: int = 0
    aside: int = 0
    repeated: bool = False


@dataclass(slots=True)
class _Turned:
    rows: list[tuple[bytes, Present]] = field(default_factory=list)
    aside: list[Quarantined] = field(default_factory=list)


async def rewritten(
    entry: Rewrite, steps: Slices, limits: Limits, commit: Callable[[Made], Awaitable[Outcome]]
) -> Outcome:
    """Apply an entry: bring rows into the copy and `commit` it; anew where the dataset changed meanwhile.

    Raises: Later where it changes all the time; and what the steps raise.
    """
    for _ in range(TRIES):
        made = await _prepared(entry, steps, limits)
        if made.old is not None and made.new is not None:
            made = await _copied(made, made.old, made.new, steps, limits)
        try:
            return await commit(made)
        except Mismatch:
            continue
    raise Later(f"the dataset {entry.dataset} changes too often to be brought to another version")


def finishing(
    made: Made, first: int, setting: Setting
) -> Callable[[Connection, Place], tuple[Place, Outcome]]:
    """Return the last transaction's body: what was made is put in place, and what became of it is kept.

    It raises Mismatch where the dataset was changed meanwhile.
    """
    now = setting.clock()

    def body(c: Connection, place: Place) -> tuple[Place, Outcome]:
        outcome = _put_in_place(c, made)
        if not made.repeated:
            writes.keep_own(c, outcome, Standing(place.partition, first, setting.epoch), now)
        return replace(place, next=first + 1), outcome

    return body


def _put_in_place(c: Connection, made: Made) -> Outcome:
    """Return what became of the entry; `rejected` is 1 where nothing was changed."""
    entry, deleted, kept = made.entry, 0, 0
    if made.old is not None and made.new is not None:
        if entry.how == "delete":
            deleted = rewriting.count(c, made.old, 2**62)
        kept = rewriting.finish(c, made.old, made.new)
    elif made.old is not None:
        tables.drop_copy(c, made.old)
    return Outcome(
        entry.id, entry.part, entry.parts, entry.workspace, entry.dataset, entry.at, PERSIST, 0,
        accepted=made.read,
        rejected=int(made.new is None),
        replaced=kept,
        deleted=deleted,
        quarantined=made.aside,
    )  # fmt: skip


async def _prepared(entry: Rewrite, steps: Slices, limits: Limits) -> Made:
    def read(c: Connection) -> tuple[bool, Dataset | None, bool]:
        repeated = bool(writes.repeated(c, [(entry.id, entry.part)]))
        dataset = datasets.by_id(c, entry.dataset_id)
        there = None if dataset is None else datasets.find(c, dataset.workspace, dataset.name)
        return repeated, dataset, there is not None and there.id == entry.dataset_id

    repeated, dataset, alive = await steps.read(read)
    if dataset is None or repeated or not alive:
        return Made(entry, dataset, None, repeated=repeated)
    try:
        return Made(entry, dataset, redeclare(dataset, msgspec.json.decode(entry.patch), limits))
    except Problem:  # what it asks for can't be done any more since the dataset was changed before it
        return Made(entry, dataset, None)


async def _copied(made: Made, old: Dataset, new: Dataset, steps: Slices, limits: Limits) -> Made:
    await steps.write(lambda c: rewriting.begin(c, new, made.entry.id))
    if made.entry.how == "delete":
        return made
    turn = _turning(made.entry, old, new, limits)
    after, read, aside = b"", 0, 0
    while True:
        some = await steps.read(lambda c, after=after: rewriting.slice_of(c, old, after))  # type: ignore[misc]
        if not some.rows:
            return replace(made, read=read, aside=aside)
        turned = turn(some, read)
        await steps.write(lambda c, turned=turned: _keep(c, new, turned))  # type: ignore[misc]
        after, read, aside = some.after, read + len(some.rows), aside + len(turned.aside)


def _keep(c: Connection, new: Dataset, turned: _Turned) -> None:
    rewriting.put(c, new, turned.rows)
    quarantine.keep(c, turned.aside)


def _turning(entry: Rewrite, old: Dataset, new: Dataset, limits: Limits) -> Callable[[Slice, int], _Turned]:
    """Return what brings a slice into the new version; it is told how many rows came before."""
    checker = Checker(new, limits) if entry.how == "reingest" else None

    def turn(some: Slice, before: int) -> _Turned:
        out = _Turned()
        records, bad = carried(new, [row.record for _, row in some.rows])
        bad = dict(bad)
        if checker is not None:
            bad = {**_refused(checker, records), **bad}
        for position, ((key, row), record) in enumerate(zip(some.rows, records, strict=True)):
            if position in bad:
                out.aside.append(_aside(entry, row, before + position, bad[position]))
                continue
            fresh = Present(row.id, row.at, without_nulls(record))
            out.rows.append((_key(old, new, key, fresh), fresh))
        return out

    return turn


def _refused(checker: Checker, records: list[dict[str, Any]]) -> Mapping[int, Never]:
    verdict = checker.check(list(records), plain=False, keep=len(records))
    return {one.index: Never(one.code, one.message) for one in reversed(verdict.refusals)}


def _key(old: Dataset, new: Dataset, key: bytes, row: Present) -> bytes:
    if new.key:
        return record_key(new, row.record)
    return key if not old.key else bytes.fromhex(row.id)


def _aside(entry: Rewrite, row: Present, position: int, why: Never) -> Quarantined:
    return Quarantined(
        entry.workspace, entry.dataset, entry.dataset_id, entry.id, position, why.code.name, why.message,
        row.record, row.id, PERSIST, int(Handling.IGNORE), row.at,
    )  # fmt: skip
