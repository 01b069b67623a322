"""Persist: each partition of `writes` in order, rows and outcomes and the offset in ONE transaction.

The order of the steps is what makes it exactly once (design.md, "Exactly once, step by step"):
read the rows the keys need → fold → append the events and await them → lock and check the offsets row →
rows, outcomes → advance → commit → wake who waits. A crash between the append and the commit repeats the
events, and their origins drop the repeat.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection

from rules.envelope import Barrier, DatasetEnd, Envelope, Redrive, Rewrite, Write
from rules.errors import Later, Never
from rules.fold import Outcome as Became
from rules.fold import Present
from rules.schema.dataset import Dataset
from rules.signals import Meter
from storage import datasets, offsets, writes
from storage.mismatch import Mismatch
from storage.offsets import Place
from storage.present import present
from storage.store import Store
from storage.writes import Outcome
from streams.agents.batch import Plan, Unfit, outcome, plan
from streams.agents.bisect import FoundError, trial
from streams.agents.partition import Seek
from streams.agents.prepare import Placed, keys_wanted, prepare, records_of
from streams.agents.rewriting import Made, Slices, finishing, rewritten
from streams.agents.transaction import removing, writing
from streams.awaiting import on_loop
from streams.catalogue import Catalogue
from streams.log import Log, LogError, Message
from streams.positions import Setting, claim, committed
from streams.receipts import Receipts
from streams.topics import EVENTS, WRITES
from streams.wire import read_envelope, words

T = TypeVar("T")

REFOLDS: Final = 5


class Persist:
    """The step of the role `persist`; `streams.agents.partition.Step`."""

    role = "persist"

    def __init__(
        self, log: Log, store: Store, catalogue: Catalogue, receipts: Receipts, setting: Setting, meter: Meter
    ) -> None:
        self._log = log
        self._store = store
        self._catalogue = catalogue
        self._receipts = receipts
        self._setting = setting
        self._meter = meter
        self._places: dict[int, Place] = {}
        self._going_on: dict[int, set[int]] = {}
        self._told: dict[int, tuple[int, list[int]]] = {}

    async def claim(self, partition: int) -> int:
        hold = self._setting.hold
        place = await claim(self._store, self._log, self.role, WRITES, partition, hold)
        # a dataset's end may have been applied here by another process, or its table brought to another form
        await self._catalogue.catch_up()
        self._places[partition] = place
        self._going_on[partition] = set()
        self._receipts.passed(partition, place.next)
        return place.next

    async def apply(self, partition: int, messages: Sequence[Message]) -> None:
        for batch in _batches(messages):
            first, after = batch[0][0].offset, batch[-1][0].offset + 1
            if first != self._places[partition].next:
                # before an event is appended: one that is told out of order hides those before it
                raise Seek(self._places[partition].next)
            entry = batch[0][1].entries[0]
            if isinstance(entry, Barrier):
                outcomes = await self._apply_barrier(partition, first, entry)
            else:
                outcomes = await self._apply_records(partition, first, after, batch)
            self._receipts.stored(partition, after, outcomes)

    async def _apply_records(
        self, partition: int, first: int, after: int, batch: Sequence[tuple[Message, Envelope]]
    ) -> list[Outcome]:
        placed = list(_placed(batch))
        unfit: Unfit = {}
        for _ in range(REFOLDS):
            made = await self._fold(partition, placed, unfit)
            await self._append(partition, first, made)
            outcomes = [outcome(work) for work in made.works if not work.repeated]
            try:
                body = writing(made, outcomes, after, self._setting)
                await self._commit(partition, first, body, partial(self._count, made))
            except Mismatch:
                continue
            except Never:
                found = await self._unfit(partition, made)
                if not found:  # no row is to blame, so leaving rows out mends nothing
                    raise
                unfit = {**unfit, **found}
                continue
            return outcomes
        raise Later("the store and the fold disagree; somebody else changes the dataset's table")

    async def _unfit(self, partition: int, made: Plan) -> Unfit:
        """Find which rows of a plan the database refuses for good."""
        try:
            await on_loop(self._store.write(partial(trial, made, partition)))
        except FoundError as found:
            return found.unfit
        raise AssertionError("a trial always tells what it found")

    async def _fold(self, partition: int, placed: Sequence[Placed], unfit: Unfit) -> Plan:
        needed: dict[int, int] = {}
        for place in placed:
            if place.entry.dataset_id:
                version = max(place.entry.version, needed.get(place.entry.dataset_id, 0))
                needed[place.entry.dataset_id] = version
        known = {i: await self._catalogue.at_least(i, version) for i, version in needed.items()}
        marked = [(p.entry.id, p.entry.part) for p in placed if isinstance(p.entry, Redrive) or p.entry.keyed]
        repeats, ended = await self._marks(partition, marked, list(needed))
        works = prepare(placed, known, repeats, ended)
        stored = await self._present(keys_wanted(works))
        return plan(works, stored, (self._setting.epoch, partition), self._setting.limits.record_bytes, unfit)

    async def _marks(
        self, partition: int, marked: Sequence[tuple[str, int]], ids: Sequence[int]
    ) -> tuple[set[tuple[str, int]], set[int]]:
        """Return which parts were applied before, and which datasets have ended in the partition.

        Ends are applied by whoever holds the partition, so a dataset that had not ended after the claim goes
        on until this worker ends it. The catalogue can't tell: it may be older than the end.
        """
        going_on = self._going_on[partition]
        unsure = [i for i in ids if i not in going_on]
        if not marked and not unsure:
            return set(), set()

        def read(c: Connection) -> tuple[set[tuple[str, int]], set[int]]:
            return writes.repeated(c, marked), datasets.ended_of(c, unsure, partition)

        repeats, ended = await on_loop(self._store.read(read))
        going_on.update(i for i in unsure if i not in ended)
        return repeats, ended

    async def _present(
        self, wanted: Mapping[int, tuple[Dataset, set[bytes]]]
    ) -> Mapping[int, Mapping[bytes, Present]]:
        if not wanted:
            return {}

        def read(c: Connection) -> Mapping[int, Mapping[bytes, Present]]:
            return {i: present(c, dataset, keys) for i, (dataset, keys) in wanted.items()}

        return await on_loop(self._store.read(read))

    async def _append(self, partition: int, first: int, made: Plan) -> None:
        """Append the batch's events, unless just these were appended before a commit that failed."""
        told = list(words(made.happened, self._setting.limits.envelope_bytes))
        print_of_it = (first, [hash(word) for word in told])
        if self._told.get(partition) == print_of_it:
            return
        try:
            # one by one: a word the log takes behind one it had no room for would hide that one's events
            for word in told:
                await self._log.append(EVENTS, partition, word)
        except LogError as error:
            raise Later(f"the events were not appended: {error}") from error
        self._told[partition] = print_of_it

    async def _apply_barrier(self, partition: int, first: int, entry: Barrier) -> list[Outcome]:
        if isinstance(entry, Rewrite):
            return [await self._rewrite(partition, first, entry)]
        dataset = await self._catalogue.at_least(entry.dataset_id, entry.version)
        body = removing(dataset, partition, entry, first, self._log.partitions, self._setting)
        applied = await self._commit(partition, first, body)
        if isinstance(entry, DatasetEnd):
            self._going_on[partition].discard(entry.dataset_id)
            if dataset is not None:
                self._catalogue.forget(dataset)
        return [applied]

    async def _rewrite(self, partition: int, first: int, entry: Rewrite) -> Outcome:
        async def commit(made: Made) -> Outcome:
            return await self._commit(partition, first, finishing(made, first, self._setting))

        steps = Slices(self._store, self._places[partition], first)
        try:
            outcome = await rewritten(entry, steps, self._setting.limits, commit)
        except Seek:
            await self.claim(partition)
            raise
        await self._catalogue.renew()
        return outcome

    async def _commit(
        self,
        partition: int,
        first: int,
        body: Callable[[Connection, Place], tuple[Place, T]],
        counted: Callable[[], object] = lambda: None,
    ) -> T:
        place = self._places[partition]

        def transaction(c: Connection) -> tuple[Place, T]:
            after, result = body(c, offsets.lock(c, place, first))
            offsets.advance(c, after)
            return after, result

        try:
            after, result = await committed(self._store.write(transaction), lambda _: counted())
        except Seek:
            await self.claim(partition)
            raise
        self._places[partition] = after
        return result

    def _count(self, made: Plan) -> None:
        stored = Counter(a.outcome for work in made.works for a in work.applied.values())
        stored[Became.INSERTED] += sum(len(work.rows) for work in made.works)
        for became, number in stored.items():
            if number:
                self._meter.count("records_stored_total", number, outcome=became.value)
        aside = Counter(never.code.name for work in made.works for never in work.aside.values())
        for code, number in aside.items():
            self._meter.count("records_quarantined_total", number, code=code)


def _batches(messages: Sequence[Message]) -> Iterator[list[tuple[Message, Envelope]]]:
    """Cut messages where a delete or a dataset's end stands: those are batches of their own."""
    batch: list[tuple[Message, Envelope]] = []
    for message in messages:
        envelope = read_envelope(message.payload)
        barrier = isinstance(envelope.entries[0], Barrier)
        if barrier and batch:
            yield batch
            batch = []
        batch.append((message, envelope))
        if barrier:
            yield batch
            batch = []
    if batch:
        yield batch


def _placed(batch: Sequence[tuple[Message, Envelope]]) -> Iterator[Placed]:
    for message, envelope in batch:
        item = 0
        for entry in envelope.entries:
            assert isinstance(entry, Write | Redrive), "the publisher sends deletes and ends alone"
            yield Placed(message.offset, item, entry)
            item += len(records_of(entry))
