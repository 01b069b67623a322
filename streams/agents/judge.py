"""Judge: each partition of `events` in order; instances, alerts, notifications, deliveries owed and the
offset in ONE transaction.

An event is taken only once its origin is below what persist has committed, so nobody is alerted about a
record that can't be read yet; all behind it waits. What is not above the last origin judged is a repeat.
`now` is the log's stamp, never less than before, so that a replay decides as the first time did.
"""

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Final

from sqlalchemy import Connection

from rules.alerting.alert import Notification
from rules.alerting.compiled import compile_rule
from rules.alerting.rule import Rule, rule_from_json
from rules.alerting.rulebook import Judged, Rulebook, joined
from rules.envelope import Happened, Origin, Record, RuleChange, Word
from rules.names import fold
from rules.schema.dataset import Dataset
from rules.signals import Meter
from storage import offsets, rules
from storage.offsets import NotHere, Place
from storage.store import Store
from streams.agents.partition import Seek
from streams.agents.raising import Match, raise_alerts
from streams.agents.renames import Moved, Renames, brought
from streams.awaiting import on_loop
from streams.catalogue import Catalogue
from streams.log import Log, Message
from streams.positions import Setting, claim, committed
from streams.receipts import Receipts
from streams.topics import EVENTS
from streams.wire import read_word

logger = logging.getLogger(__name__)

TOGETHER: Final = 2_000
"""Alerts in one transaction. A record that matches more rules than that goes alone."""

MILLISECOND: Final = 1_000_000


Read = tuple[Message, Word]


@dataclass(slots=True)
class Slice:
    """What one transaction of judge covers: up to which place, which matches, which rules came in force.

    `events` counts the records, `arrived` is when (ns) the last of them came to the door.
    """

    place: Place
    matches: list[Match] = field(default_factory=list)
    changes: list[Rule] = field(default_factory=list)
    events: int = 0
    arrived: int = 0


class Judge:
    """The step of the role `judge`; `streams.agents.partition.Step`.

    `raised` is called on the loop after each commit that raised alerts, with their workspaces.
    """

    role = "judge"

    def __init__(
        self,
        log: Log,
        store: Store,
        catalogue: Catalogue,
        receipts: Receipts,
        setting: Setting,
        meter: Meter,
        raised: Callable[[set[str]], None],
    ) -> None:
        self._log = log
        self._store = store
        self._catalogue = catalogue
        self._receipts = receipts
        self._setting = setting
        self._meter = meter
        self._raised = raised
        self._places: dict[int, Place] = {}
        self._books: dict[int, Rulebook] = {}
        self._renames = Renames(store)
        # a rule is compiled once, not once a partition
        self._compile = lru_cache(maxsize=setting.limits.rules_per_workspace * 2)(compile_rule)

    async def claim(self, partition: int) -> int:
        hold = self._setting.hold
        place = await claim(self._store, self._log, self.role, EVENTS, partition, hold)
        self._places[partition] = place
        self._books.pop(partition, None)
        return place.next

    async def apply(self, partition: int, messages: Sequence[Message]) -> None:
        book = await self._book(partition)
        read = [(message, read_word(message.payload)) for message in messages]
        try:
            await self._gate(partition, read)
            moved = await self._learn(book, read)
            for piece in self._slices(book, partition, read, moved):
                await self._commit(piece)
        except Seek:
            await self.claim(partition)
            raise
        except BaseException:
            # what the book took in may not be committed; the store says what is in force
            self._books.pop(partition, None)
            raise

    async def _book(self, partition: int) -> Rulebook:
        book = self._books.get(partition)
        if book is None:
            book = Rulebook(self._setting.limits, self._compile)
            log = self._log.identity
            for rule in await on_loop(self._store.read(lambda c: rules.in_force(c, log, partition))):
                book.put(rule)
            self._books[partition] = book
        return book

    async def _gate(self, partition: int, read: Sequence[Read]) -> None:
        """Wait until everything the messages tell of is stored."""
        await self._receipts.reached(
            partition, max((happened.offset for happened in _told(read)), default=-1)
        )

    async def _learn(self, book: Rulebook, read: Sequence[Read]) -> Moved:
        """Tell the book which columns hold instants; know of renames before what came of them is judged."""
        changes = list(_changes(read))
        if any(_moves(book, change) for change in changes):
            await self._catalogue.renew()
        moved: Moved = {}
        for dataset_id, written_as in {(one.dataset_id, one.dataset) for one in _told(read)}:
            dataset = await self._renamed(dataset_id, written_as) if dataset_id else None
            if dataset is None:
                continue
            types = {column.name: column.type for column in dataset.columns}
            for name in {dataset.name, written_as, *dataset.names_since(written_as)}:
                book.know(dataset.workspace, name, types)
            if dataset.names_before(written_as):
                moved[dataset_id, written_as] = await self._renames.moved(book, dataset, written_as, changes)
        return moved

    async def _renamed(self, dataset_id: int, written_as: str) -> Dataset | None:
        """Return a dataset that knows of the name under which its records were written."""
        dataset = await self._catalogue.at_least(dataset_id, 1)
        if dataset is not None and fold(written_as) not in (dataset.folded, *dataset.former):
            dataset = await self._catalogue.at_least(dataset_id, dataset.version + 1)
        return dataset

    def _slices(self, book: Rulebook, partition: int, read: Sequence[Read], moved: Moved) -> Iterator[Slice]:
        """Judge the messages, lazily: each slice is committed before the next is made."""
        place = self._places[partition]
        piece = Slice(place)
        last = place.last
        for message, word in read:
            if message.offset < place.next:  # committed before a later slice of this chunk was not
                continue
            now = max(message.stamp * MILLISECOND, place.last_now)
            place = replace(place, last_now=now)
            for entry in word.entries:
                if isinstance(entry, RuleChange):
                    piece.changes.extend(self._take(book, entry))
                elif isinstance(entry, Happened):
                    piece.arrived = entry.at
                    piece.changes.extend(brought(book, moved.get((entry.dataset_id, entry.dataset), ())))
                    start = _first_above(last, entry)
                    for item, matches in self._matches(book, entry, start, partition, now):
                        piece.matches.extend(matches)
                        if len(piece.matches) >= TOGETHER:
                            last = (entry.epoch, entry.offset, item)
                            piece.place = place = replace(place, last=last)
                            yield piece
                            piece = Slice(place)
                    piece.events += len(entry.items) - start
                    last = max(last, (entry.epoch, entry.offset, entry.items[-1]))
            place = replace(place, next=message.offset + 1, last=last)
        piece.place = place
        yield piece

    def _take(self, book: Rulebook, change: RuleChange) -> Iterator[Rule]:
        rule = rule_from_json(change.workspace, change.definition)
        if book.put(rule):
            yield rule

    def _matches(
        self, book: Rulebook, happened: Happened, start: int, partition: int, now: int
    ) -> Iterator[tuple[int, list[Match]]]:
        """Yield, by item, what matches the records from the `start`-th on."""
        judge = self._judging(book, happened)
        if judge is None:
            return
        for item, record in zip(happened.items[start:], happened.records[start:], strict=True):
            found = judge(record)
            if found is None:
                continue
            origin = Origin(happened.epoch, partition, happened.offset, item)
            for rule, error in found.failed:
                self._meter.count("rule_errors_total")
                logger.debug(
                    "Rule %s/%s could not judge %s: %s", rule.workspace, rule.id, origin.text(), error,
                    extra={"action": "rule_error"},
                )  # fmt: skip
            yield item, [Match(rule, happened, record, origin, now) for rule in found.matched]

    def _judging(self, book: Rulebook, happened: Happened) -> Callable[[Record], Judged | None] | None:
        """Return what judges the records of an event: the rules on the name under which they were written,
        and those on the names that their dataset has had since.
        """
        names = (happened.dataset, *self._catalogue.names_since(happened.dataset_id, happened.dataset))
        judges = [found for name in names if (found := book.judging(happened.workspace, name)) is not None]
        if len(judges) < 2:
            return judges[0] if judges else None
        return lambda record: joined(judge(record) for judge in judges)

    async def _commit(self, piece: Slice) -> None:
        before = self._places[piece.place.partition]
        due_at = self._setting.clock()

        def transaction(c: Connection) -> list[Notification]:
            stored = offsets.lock(c, before, before.next)
            if stored.last != before.last:  # within a message: a commit before was not heard of
                raise NotHere(stored.next)
            told = raise_alerts(c, piece.matches, due_at)
            for rule in piece.changes:
                rules.put_in_force(c, before.log, before.partition, rule)
            offsets.advance(c, piece.place)
            return told

        told = await committed(self._store.write(transaction), partial(self._count, piece))
        self._places[before.partition] = piece.place
        if piece.arrived:
            self._meter.time("judge_lag_seconds", max(0, self._setting.clock() - piece.arrived) / 1e9)
        if told:
            self._raised({fold(one.alert.workspace) for one in told})

    def _count(self, piece: Slice, told: Sequence[Notification]) -> None:
        self._meter.count("events_judged_total", piece.events)
        for one in told:
            self._meter.count("alerts_total", severity=one.alert.severity)


def _told(read: Sequence[Read]) -> Iterator[Happened]:
    return (entry for _, word in read for entry in word.entries if isinstance(entry, Happened))


def _changes(read: Sequence[Read]) -> Iterator[RuleChange]:
    return (entry for _, word in read for entry in word.entries if isinstance(entry, RuleChange))


def _moves(book: Rulebook, change: RuleChange) -> bool:
    """Return whether a rule change may put a rule on another dataset's name than the version before it."""
    held = book.rule(change.workspace, change.rule)
    if held is None:
        return change.version > 1
    return fold(held.on) != fold(change.definition["on"])


def _first_above(last: tuple[int, int, int], happened: Happened) -> int:
    """Return the index of the first record above the last origin judged. Items ascend."""
    place = (happened.epoch, happened.offset)
    if place != last[:2]:
        return 0 if place > last[:2] else len(happened.items)
    return bisect_right(happened.items, last[2])
