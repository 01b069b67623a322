"""The second reading of a load: its records admitted, cut, logged and stored as any others are.

What is written is named for the job, the dataset, the block, the piece of it and the partition. None of that
depends on anything but the bytes, so what is written again after a crash is a repeat, which persist drops. A
block is logged before the next one is: records keep their order. The mark moves over blocks that are stored,
in the transaction that counts what became of them.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from msgspec import structs

from api.batch.columns import kinds_of, records_of, types_of
from api.batch.landing import Landing
from api.batch.ledger import Ledger
from api.batch.reading import Pace, form_of, read_blocks
from api.batch.underway import Sent, UnderWay, write_name
from api.batch.validate import found_invalid
from api.decode.blocks import Block
from api.decode.sniff import Form
from api.entry.pressure import Pressure
from api.lane.admit import Admission
from api.lane.admitted import Admitted
from api.lane.cut import Stamp, cut, partition_of
from api.lane.door import Draft, Options
from rules.envelope import Handling
from rules.errors import Problem
from rules.job import Mark, Source
from rules.limits import KB, Limits
from rules.schema.dataset import ColumnType
from rules.signals import Meter
from storage.store import Store
from streams.catalogue import Catalogue
from streams.log import Log
from streams.publisher import Publisher
from streams.receipts import Receipts
from streams.topics import dataset_partition

UNDER_WAY: Final = 128 * KB
"""Bytes of a job that are logged and not stored: persist applies them in one go, and others wait behind."""

PIECE: Final = 400 * KB
"""Bytes that a piece of a block is meant to have in the log; a CSV's names come with each of its rows."""

_BESIDE: Final = 12
"""Bytes beside its name and its text that a cell may take: a number's nine, and heads."""

_ANY: Final = 2**31

AGAIN_AFTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class Parts:
    """What loading is made of. `clock` gives ns since 1970, `busy` says whether requests are under way."""

    log: Log
    store: Store
    catalogue: Catalogue
    admission: Admission
    publisher: Publisher
    receipts: Receipts
    pressure: Pressure
    limits: Limits
    meter: Meter
    clock: Callable[[], int]
    busy: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Reading:
    """One source being read: its format, and the types of its new columns."""

    number: int
    source: Source
    form: Form
    types: dict[str, ColumnType]
    before: int


class Ingesting:
    """Stores the records of one job."""

    def __init__(self, parts: Parts, ledger: Ledger) -> None:
        self._parts = parts
        self._ledger = ledger
        self._pace = Pace(parts.busy)
        self._landing = Landing(parts.catalogue, ledger)
        self._under_way = UnderWay(parts.store, parts.receipts, ledger)

    async def run(self) -> None:
        """Store what is not stored yet.

        Raises: Problem where a source can't be stored, BrokenError, OvertakenError, Later, LogError.
        """
        mark = self._ledger.job.progress.mark
        for number in range(mark.source, len(self._ledger.job.definition.sources)):
            await self._source(number, mark if number == mark.source else Mark(number))
        await self._under_way.empty()

    async def finish(self, ledger: Ledger, seconds: float) -> None:
        """Count what was logged before the job was cancelled, as far as it is stored in time."""
        self._under_way.ledger = ledger
        try:
            async with asyncio.timeout(seconds):
                await self._under_way.empty()
        except TimeoutError:
            return

    def close(self) -> None:
        """Let go of what it listens to."""
        self._under_way.close()

    async def _source(self, number: int, mark: Mark) -> None:
        job, limits, log = self._ledger.job, self._parts.limits, self._parts.log
        source, partition = job.definition.sources[number], job.definition.partition
        if not job.progress.counts[number].validated:
            return
        kept = job.progress.types[number]
        if kept:
            await self._landing.grow(number, kept, self._parts.clock())
        form = await form_of(log, partition, source, limits)
        before = job.size + sum(one.size for one in job.definition.sources[:number])
        reading = _Reading(number, source, form, types_of(kept), before)
        async for block in read_blocks(log, partition, source, form, mark, limits, self._pace):
            self._ledger.watch()
            await self._under_way.shrink(UNDER_WAY)
            await self._block(reading, block)

    async def _block(self, reading: _Reading, block: Block) -> None:
        ids: list[str] = []
        places: list[tuple[int, int]] = []
        size = 0
        for piece, (first, rows) in enumerate(_pieces(block, reading.form)):
            admitted = await self._admit(reading, block, first, rows)
            for partition, one in _by_partition(admitted, self._parts.publisher.partitions).items():
                write_id = self._name(reading, block.number, piece, partition)
                entry = self._entry(write_id, reading, one)
                places.append((partition, await self._log(partition, entry)))
                ids.append(write_id)
                size += len(entry)
                self._pace.begin()
        after = block.after
        mark = Mark(reading.number, after.at, after.index, after.line, after.block, after.ended, begun=True)
        self._under_way.add(Sent(ids, places, size, mark, reading.before + after.at))

    async def _admit(self, reading: _Reading, block: Block, first: int, rows: list[Any]) -> Admitted:
        records, dataset = rows, await self._landing.find(reading.number)
        if reading.form.header is not None:
            names = reading.form.header.names
            records = records_of(names, kinds_of(names, dataset, reading.types), rows)
            await self._pace.give_way()
        places = list(block.indexes[first : first + len(rows)])
        draft = Draft(dataset.name, records, block.plain, places, block.size)
        options = self._options(reading)
        workspace, admission = self._ledger.job.workspace, self._parts.admission
        admitted = admission.at_once(workspace, draft, options)
        if admitted is None:
            admitted = await admission.admit(workspace, draft, options)
        assert admitted.dataset is not None, "a load stores its records"
        self._landing.fix(reading.number, admitted.dataset)
        if admitted.refused and self._ledger.room:
            self._ledger.refuse(found_invalid(reading.number, block, admitted.refusals, unread=False))
        await self._pace.give_way()
        return admitted

    def _options(self, reading: _Reading) -> Options:
        source = reading.source
        create = source.create and not self._landing.fixed(reading.number)
        event = self._ledger.job.definition.event
        return Options(wait=False, event=event, handling=Handling(source.handling), create=create)

    def _name(self, reading: _Reading, block: int, piece: int, partition: int) -> str:
        dataset = self._landing.fixed(reading.number)
        return write_name(self._ledger.job.id, reading.number, dataset, block, piece, partition)

    def _entry(self, write_id: str, reading: _Reading, admitted: Admitted) -> bytes:
        stamp = Stamp(
            write_id,
            self._ledger.job.workspace,
            self._parts.clock(),
            self._options(reading),
            0,
            keyed=True,
        )
        (part,) = cut([admitted], stamp, self._parts.publisher.partitions, _ANY)
        return part.entry

    async def _log(self, partition: int, entry: bytes) -> int:
        """Log an entry and return its offset; once more where the log did not say whether it has it."""
        workspace = self._ledger.job.workspace
        while True:
            self._ledger.watch()
            try:
                self._parts.pressure.check(workspace, (partition,))
                return await self._parts.publisher.publish(partition, entry, workspace)
            except Problem as problem:
                if not problem.code.retriable:
                    raise
                await asyncio.sleep(AGAIN_AFTER)


def _pieces(block: Block, form: Form) -> Iterator[tuple[int, list[Any]]]:
    """Yield the rows of a block with the position of the first, in pieces that fit the log's messages."""
    rows, header = block.rows, form.header
    if not rows:
        return
    pieces = 1
    if header is not None:
        beside = sum(len(name.encode()) + _BESIDE for name in header.names)
        pieces = min(len(rows), 1 + (len(rows) * beside + block.size) // PIECE)
    each = -(-len(rows) // pieces)
    for first in range(0, len(rows), each):
        yield first, rows[first : first + each]


def _by_partition(admitted: Admitted, partitions: int) -> dict[int, Admitted]:
    """Return what was admitted by the partition it goes to."""
    dataset = admitted.dataset
    if dataset is None or not admitted.records:
        return {}
    if not dataset.partition_by:
        made_as = dataset.made_as or dataset.name
        return {dataset_partition(dataset.workspace, made_as, partitions): admitted}
    spread: dict[int, list[tuple[int, Any]]] = {}
    for place, record in zip(admitted.places, admitted.records, strict=True):
        spread.setdefault(partition_of(dataset, record, partitions), []).append((place, record))
    return {
        partition: structs.replace(
            admitted, records=[record for _, record in mine], indexes=[place for place, _ in mine]
        )
        for partition, mine in spread.items()
    }
