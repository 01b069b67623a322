"""The first reading of a load: every record looked at, nothing changed but the job itself.

The error limit must be known before anything is stored, and a column of a CSV has its type only once all
its cells were seen. The dataset is grown in memory only, as the records would grow it.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import msgspec

from api.batch.columns import Found, as_texts, fresh, kinds_of, records_of
from api.batch.landing import Landing
from api.batch.ledger import Ledger
from api.batch.reading import Pace, form_of, read_blocks
from api.decode.blocks import Block
from api.decode.sniff import Form
from rules.errors import LOAD_FAILED, Problem, Refusal
from rules.job import Counts, Invalid, Mark, Progress, State, sum_of
from rules.limits import Limits
from rules.schema.check import Checker, Verdict
from rules.schema.dataset import Dataset
from rules.schema.evolve import evolve
from streams.catalogue import Catalogue
from streams.log import Log


class Validating:
    """Validates one job."""

    def __init__(
        self,
        log: Log,
        catalogue: Catalogue,
        limits: Limits,
        ledger: Ledger,
        busy: Callable[[], bool],
    ) -> None:
        self._log = log
        self._limits = limits
        self._ledger = ledger
        self._pace = Pace(busy)
        self._landing = Landing(catalogue, ledger)
        self._progress: Progress = ledger.job.progress

    async def run(self) -> None:
        """Read all sources; the job is VALIDATED then.

        Raises: Problem: load_failed past the error limit, dataset_not_found; BrokenError, OvertakenError,
        Later, LogError.
        """
        await self._ledger.begin_again()
        self._progress = self._ledger.job.progress
        for number in range(len(self._ledger.job.definition.sources)):
            await self._source(number)
        await self._ledger.note(self._progress)
        total = sum_of(self._progress.counts)
        told = f"{total.validated} of {total.read} records are valid"
        await self._ledger.become(State.VALIDATED, told)

    async def _source(self, number: int) -> None:
        job = self._ledger.job
        source, partition = job.definition.sources[number], job.definition.partition
        before, started = self._progress.done, perf_counter()
        form = await form_of(self._log, partition, source, self._limits)
        dataset = await self._landing.find(number)
        self._landing.fix(number, dataset)
        self._progress = self._ledger.job.progress
        look = _Look(dataset, form, self._limits)
        counts = Counts()
        async for block in read_blocks(self._log, partition, source, form, Mark(), self._limits, self._pace):
            self._ledger.watch()
            verdict = look.at(block, room=self._ledger.room)
            invalid = verdict.refused + len(block.refused)
            counts = counts.plus(read=block.read, invalid=invalid, validated=block.read - invalid)
            counts = msgspec.structs.replace(counts, seconds=perf_counter() - started)
            if invalid and self._ledger.room:
                placed = [replace(r, index=block.indexes[r.index]) for r in verdict.refusals]
                self._ledger.refuse(found_invalid(number, block, placed))
            self._keep(number, counts, before + block.after.at)
            self._check_limit()
            if self._ledger.due:
                await self._ledger.note(self._progress)
        self._keep(number, counts, before + source.size, look.found())

    def _keep(
        self, number: int, counts: Counts, done: int, types: list[tuple[str, str, bool]] | None = None
    ) -> None:
        all_counts, all_types = list(self._progress.counts), list(self._progress.types)
        all_counts[number] = counts
        all_types[number] = types or []
        self._progress = msgspec.structs.replace(
            self._progress, counts=all_counts, types=all_types, done=done
        )
        self._ledger.reach(self._progress)

    def _check_limit(self) -> None:
        most = self._ledger.job.definition.most_invalid
        invalid = sum(one.invalid for one in self._progress.counts)
        if most is not None and invalid > most:
            raise Problem(
                LOAD_FAILED,
                f"{invalid} records are not valid, more than maximumValidationErrors={most} allows; nothing "
                "was stored.",
            )


class _Look:
    """Looks at the blocks of one source, in their order."""

    def __init__(self, dataset: Dataset, form: Form, limits: Limits) -> None:
        self._limits = limits
        self._names: Sequence[str] = () if form.header is None else form.header.names
        self._csv = form.header is not None
        new = fresh(self._names, dataset)
        self._found = Found(new)
        if new and len(dataset.columns) + len(new) <= limits.columns:
            dataset = evolve(dataset, as_texts(new, dataset))
        self._know(dataset)

    def _know(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._checker = Checker(dataset, self._limits)
        self._kinds = kinds_of(self._names, dataset, {})

    def at(self, block: Block, *, room: bool) -> Verdict:
        """Return what is to be said of a block's rows."""
        records: list[Any] = block.rows
        if self._csv:
            records = records_of(self._names, self._kinds, block.rows)
        verdict = self._checker.check(records, plain=block.plain, keep=len(records) if room else 0)
        if verdict.additions:
            self._know(evolve(self._dataset, verdict.additions))
        if self._csv and verdict.records:
            self._found.look(verdict.records)
        return verdict

    def found(self) -> list[tuple[str, str, bool]]:
        """Return the types of a CSV's new columns."""
        return self._found.kept()


def found_invalid(
    source: int, block: Block, refusals: Sequence[Refusal], *, unread: bool = True
) -> list[Invalid]:
    """Return why records of a block are not valid, in the order of the records.

    `unread`: those that can't be read, too. The index of a refusal is the record's in its source.
    """
    invalid: list[Invalid] = []
    if unread:
        invalid = [Invalid(source, r.index, r.line, "", r.code.name, r.message) for r in block.refused]
    last, nth = -1, 0
    for refusal in refusals:
        nth = nth + 1 if refusal.index == last else 0
        last = refusal.index
        line = block.lines[bisect_left(block.indexes, last)]
        invalid.append(
            Invalid(source, last, line, refusal.path, refusal.code.name, refusal.message[:1000], nth)
        )
    return sorted(invalid, key=lambda one: (one.index, one.nth))
