"""Admission: are these records ones that the dataset can have, and does it have what they need?

What a record needs of the catalogue (a dataset, a column, a wider type) is in the catalogue, by
compare-and-set, before the record is in the log. Who loses the race reads again and tries again, and
refuses by name only what no longer fits.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec import structs
from sqlalchemy import Connection

from api.entry.answer import encode
from api.lane.admitted import Admitted
from api.lane.door import Draft, Options, Points, Target
from api.lane.measured import (
    admitted_points,
    as_records,
    fitting_points,
    made_measurement,
    new_measurement,
    of_another,
    published_points,
    takes_points,
)
from rules.envelope import Record
from rules.errors import (
    BAD_FIELD_NAME,
    DATASET_NOT_FOUND,
    NOT_AN_OBJECT,
    RECORD_TOO_LARGE,
    STORE_UNAVAILABLE,
    VERSION_CONFLICT,
    Later,
    Problem,
    Refusal,
)
from rules.limits import KB, Limits
from rules.names import SYSTEM_FIELDS, dataset_name, field_problem, workspace_name
from rules.schema.check import Checker, Verdict
from rules.schema.dataset import Dataset
from rules.schema.declare import on_demand
from rules.schema.evolve import Additions, evolve
from rules.schema.fitting import fit
from rules.schema.values import fault_in, pointer, shown
from storage import datasets
from storage.latest import Latest
from streams.catalogue import Catalogue, crowded
from streams.topics import dataset_partition, partitions_of
from streams.wire import encode_record

TRIES: Final = 20
"""How often an admission may lose a race: to other processes, for those of one take turns."""

SURE: Final = 900 * KB
"""Bytes of JSON that surely fit a message of the log: what is longest there is a number's nine for four."""

MOST_LOGGED: Final = 2_000_000
"""Bytes a record may have as the log keeps it: a message has 2 MB, and room for what stands beside it."""


class Admission:
    """Admits drafts against the catalogue. Lives on one loop."""

    def __init__(self, catalogue: Catalogue, limits: Limits, clock: Callable[[], int]) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._clock = clock
        self._certain = min(limits.record_bytes, SURE)
        self._checkers = Latest(lambda dataset: Checker(dataset, limits))

    def places(self, target: Target, partitions: int) -> Iterable[int]:
        """Return the partitions that a write for `target` may go to, as far as is known before its body."""
        if target.dataset is None:
            return range(partitions)
        dataset = self._catalogue.known(target.workspace, target.dataset)
        if dataset is None:
            return (dataset_partition(target.workspace, target.dataset, partitions),)
        return partitions_of(dataset, partitions)

    def at_once(self, workspace: str, draft: Draft, options: Options) -> Admitted | None:
        """Return what may be written of a draft, where all of it fits what memory knows.

        So do most. Of the others (None) `admit` says more.
        """
        dataset = self._catalogue.known(workspace, draft.dataset)
        if dataset is None or not options.persist:
            return None
        if draft.points is not None:
            return fitting_points(dataset, draft, draft.points, self._limits)
        if draft.size > self._certain:
            return None
        checker = self._checkers.of(dataset)
        if not checker.fits(draft.records, plain=draft.plain):
            return None
        return Admitted(draft.dataset, dataset, draft.records, draft.indexes, 0, [])

    async def admit(self, workspace: str, draft: Draft, options: Options, grow: bool = True) -> Admitted:
        """Return what may be written of a draft.

        The catalogue is changed for it only if `grow`, and not where an atomic write is refused.
        Raises: Problem(dataset_not_found, bad_name, store_unavailable).
        """
        large: list[Refusal] = []
        if draft.size > self._certain and draft.points is None:
            draft, large = self._without_large(draft)
        grow = grow and not (options.atomic and large)
        admitted = await self._admit(workspace, draft, options, grow)
        if not large:
            return admitted
        return structs.replace(
            admitted, refused=admitted.refused + len(large), refusals=admitted.refusals + large
        )

    async def _admit(self, workspace: str, draft: Draft, options: Options, grow: bool) -> Admitted:
        try:
            if not options.persist:
                return await self._publish_only(workspace, draft)
            async with self._catalogue.turn(workspace, draft.dataset):
                return await self._compared_and_set(workspace, draft, options, grow)
        except Later as error:
            raise Problem(STORE_UNAVAILABLE, f"The catalogue can't be asked now: {error.shown}.") from error

    async def _compared_and_set(self, workspace: str, draft: Draft, options: Options, grow: bool) -> Admitted:
        points = draft.points
        for _ in range(TRIES):
            dataset = await self._find(workspace, draft.dataset, made=points is not None)
            if points is not None:
                if of_another(dataset, points):
                    draft = structs.replace(draft, dataset=points.apart)
                    continue
                admitted = await self._points(workspace, dataset, draft, points, options, grow)
            else:
                admitted = await self._against(workspace, dataset, draft, options, grow)
            if admitted is not None:
                return admitted
            await self._catalogue.reload(workspace, draft.dataset)
        raise crowded(draft.dataset)

    async def _against(
        self, workspace: str, dataset: Dataset | None, draft: Draft, options: Options, grow: bool
    ) -> Admitted | None:
        """Admit against what is known, or return None where somebody else changed it meanwhile."""
        if dataset is not None:
            verdict = self._checkers.of(dataset).check(draft.records, plain=draft.plain)
            grow = grow and not (options.atomic and verdict.refused)
            if verdict.additions and verdict.records and grow:
                dataset = await self._grow(dataset, verdict.additions)
            return None if dataset is None else _admitted(draft, dataset, verdict)
        if not options.create:
            raise Problem(
                DATASET_NOT_FOUND, f"There is no dataset {draft.dataset!r}, and createDatasetOnDemand=false."
            )
        blank = on_demand(workspace, draft.dataset, 0, Additions())
        verdict = Checker(blank, self._limits).check(draft.records, plain=draft.plain)
        if not verdict.records or not grow or (options.atomic and verdict.refused):
            return _admitted(draft, blank, verdict)
        dataset = await self._make(on_demand(workspace, draft.dataset, 0, verdict.additions))
        return None if dataset is None else _admitted(draft, dataset, verdict)

    async def _points(
        self,
        workspace: str,
        dataset: Dataset | None,
        draft: Draft,
        points: Points,
        options: Options,
        grow: bool,
    ) -> Admitted | None:
        """Admit points, or return None where somebody else changed their dataset meanwhile."""
        if dataset is not None and not takes_points(dataset):
            return await self._against(workspace, dataset, as_records(draft, points, dataset), options, grow)
        if dataset is None:
            workspace_name(workspace)
        blank = new_measurement(workspace, draft.dataset, points)
        fitted = fit(dataset or blank, points.blocks, self._limits)
        grow = grow and bool(fitted.tables) and not (options.atomic and fitted.refusals.count)
        if grow and dataset is None:
            dataset = await self._make(made_measurement(blank, fitted.additions))
        elif grow and dataset is not None and fitted.additions:
            dataset = await self._grow(dataset, fitted.additions)
        elif dataset is None:
            dataset = blank
        return None if dataset is None else admitted_points(draft.dataset, dataset, fitted)

    async def _make(self, made: Dataset) -> Dataset | None:
        now = self._clock()
        return await self._catalogue.change(lambda c: datasets.add(c, made, now))

    async def _find(self, workspace: str, name: str, *, made: bool = False) -> Dataset | None:
        """Return the dataset of this name, which is a caller's own unless it was `made` from one."""
        dataset = self._catalogue.known(workspace, name)
        if dataset is not None:
            return dataset
        # before the store is asked: not every database takes a name that breaks the law
        workspace_name(workspace)
        if not made:
            dataset_name(name)
        return await self._catalogue.find(workspace, name)

    async def _grow(self, dataset: Dataset, additions: Additions) -> Dataset | None:
        try:
            grown = evolve(dataset, additions)
        except Problem as problem:
            if problem.code is VERSION_CONFLICT:
                return None
            raise

        def body(c: Connection) -> Dataset | None:
            return grown if datasets.replace(c, dataset, grown) else None

        return await self._catalogue.change(body)

    async def _publish_only(self, workspace: str, draft: Draft) -> Admitted:
        dataset = await self._find(workspace, draft.dataset, made=draft.points is not None)
        strict = dataset is not None and dataset.declared and dataset.mode == "strict"
        if draft.points is not None:
            if not strict:
                workspace_name(workspace)
                return published_points(draft.dataset, dataset, draft.points)
            draft = as_records(draft, draft.points, dataset)
        if dataset is not None and strict:
            verdict = self._checkers.of(dataset).check(draft.records, plain=draft.plain)
            return _admitted(draft, dataset, verdict)
        records: list[Any] = []
        accepted: list[int] = []
        refusals: list[Refusal] = []
        for position, record in enumerate(draft.records):
            refusal = self._unfit(position, record)
            if refusal is None:
                accepted.append(position)
                records.append(_without_system_fields(record))
            else:
                refusals.append(refusal)
        verdict = Verdict(records, accepted if refusals else None, len(refusals), tuple(refusals))
        return _admitted(draft, dataset, verdict)

    def _without_large(self, draft: Draft) -> tuple[Draft, list[Refusal]]:
        """Take out the records that are larger than a record may be."""
        places = draft.indexes or range(len(draft.records))
        most = self._limits.record_bytes
        kept: list[tuple[int, Any]] = []
        large: list[Refusal] = []
        for place, record in zip(places, draft.records, strict=True):
            size = _size(record)
            if size > most:
                message = f"The record has {size} bytes as JSON; {most} are allowed."
                large.append(Refusal(place, "", RECORD_TOO_LARGE, message))
            elif size > SURE and (logged := len(encode_record(record))) > MOST_LOGGED:
                message = f"The record has {logged} bytes in the log; {MOST_LOGGED} are allowed."
                large.append(Refusal(place, "", RECORD_TOO_LARGE, message))
            else:
                kept.append((place, record))
        if not large:
            return draft, large
        records, indexes = [record for _, record in kept], [place for place, _ in kept]
        return Draft(draft.dataset, records, draft.plain, indexes, draft.size), large

    def _unfit(self, position: int, record: Any) -> Refusal | None:
        if not isinstance(record, dict):
            message = f"A record must be a JSON object; {shown(record)} came."
            return Refusal(position, "", NOT_AN_OBJECT, message)
        for name in record.keys() - SYSTEM_FIELDS:
            why = field_problem(name)
            if why is not None:
                return Refusal(position, pointer([name]), BAD_FIELD_NAME, f"It can't be taken: {why}.")
        fault = fault_in(record, self._limits.nesting)
        return None if fault is None else Refusal(position, pointer(fault.steps), fault.code, fault.message)


def _admitted(draft: Draft, dataset: Dataset | None, verdict: Verdict) -> Admitted:
    """Place what was accepted, and what was refused, in the request."""
    places, accepted = draft.indexes, verdict.accepted
    if places is None:
        return Admitted(
            draft.dataset, dataset, verdict.records, accepted, verdict.refused, list(verdict.refusals)
        )
    indexes = places if accepted is None else [places[position] for position in accepted]
    moved = [Refusal(places[r.index], r.path, r.code, r.message) for r in verdict.refusals]
    return Admitted(draft.dataset, dataset, verdict.records, indexes, verdict.refused, moved)


def _without_system_fields(record: Record) -> Record:
    if SYSTEM_FIELDS.isdisjoint(record):
        return record
    return {name: value for name, value in record.items() if name not in SYSTEM_FIELDS}


def _size(record: Any) -> int:
    """Return a member's bytes as JSON; 0 where it nests too deep to tell, which is refused for that."""
    try:
        return len(encode(record))
    except RecursionError:
        return 0
