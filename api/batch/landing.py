"""The dataset that a source of a job goes to: one and the same, from the job's validation on.

Its id is kept with the job. Where it was deleted the job ends, whatever has its name meanwhile: what was
stored of the job went with it, and the rest would be where nobody sent it.
"""

from typing import Final

import msgspec
from sqlalchemy import Connection

from api.batch.columns import additions_of
from api.batch.ledger import Ledger
from rules.errors import DATASET_GONE, DATASET_NOT_FOUND, Problem
from rules.job import Source
from rules.names import fold
from rules.schema.dataset import Dataset
from rules.schema.declare import on_demand
from rules.schema.evolve import evolve
from storage import datasets
from streams.catalogue import Catalogue, crowded

TRIES: Final = 20


class Landing:
    """Where the sources of one job go."""

    def __init__(self, catalogue: Catalogue, ledger: Ledger) -> None:
        self._catalogue = catalogue
        self._ledger = ledger

    def fixed(self, number: int) -> int:
        """Return the id of the dataset that a source goes to, 0 while none is there."""
        return self._ledger.job.progress.dataset_of(number)

    async def find(self, number: int) -> Dataset:
        """Return the dataset of a source as it is now; where it is yet to be made, the empty one.

        Raises: Problem(dataset_gone, dataset_not_found), Later.
        """
        workspace, source = self._ledger.job.workspace, self._source(number)
        found, fixed = await self._catalogue.find(workspace, source.dataset), self.fixed(number)
        if fixed and (found is None or found.id != fixed):
            raise self._gone(source)
        if found is None and not source.create:
            raise Problem(
                DATASET_NOT_FOUND, f"There is no dataset {source.name!r}, and createDatasetOnDemand=false."
            )
        return found or on_demand(workspace, source.dataset, 0)

    def fix(self, number: int, dataset: Dataset) -> None:
        """Let a source go to this dataset from now on, and with it those that have the same name.

        Raises: Problem(dataset_gone) where it goes to another one.
        """
        fixed, source = self.fixed(number), self._source(number)
        if fixed and dataset.id not in (0, fixed):
            raise self._gone(source)
        if dataset.id and not fixed:
            job = self._ledger.job
            ids = [
                dataset.id if fold(one.dataset) == fold(source.dataset) else job.progress.dataset_of(each)
                for each, one in enumerate(job.definition.sources)
            ]
            self._ledger.reach(msgspec.structs.replace(job.progress, datasets=ids))

    async def grow(self, number: int, kept: list[tuple[str, str, bool]], now: int) -> None:
        """Give the dataset the columns that a CSV's cells ask for, of the types that fit all of them.

        `now` is in ns. Raises: Problem(dataset_gone, dataset_not_found), Later.
        """
        async with self._catalogue.turn(self._ledger.job.workspace, self._source(number).dataset):
            await self._grow(number, kept, now)

    async def _grow(self, number: int, kept: list[tuple[str, str, bool]], now: int) -> None:
        workspace, source = self._ledger.job.workspace, self._source(number)
        for _ in range(TRIES):
            old = await self.find(number)
            additions = additions_of(kept, old)
            if old.id and (not additions or old.mode != "evolve"):
                return
            new = evolve(old, additions) if old.id else on_demand(workspace, source.dataset, 0, additions)

            def body(c: Connection, old: Dataset = old, new: Dataset = new) -> Dataset | None:
                if not old.id:
                    return datasets.add(c, new, now)
                return new if datasets.replace(c, old, new) else None

            changed = await self._catalogue.change(body)
            if changed is not None:
                self.fix(number, changed)
                return
            await self._catalogue.reload(workspace, old.name)
        raise crowded(source.name)

    def _source(self, number: int) -> Source:
        return self._ledger.job.definition.sources[number]

    @staticmethod
    def _gone(source: Source) -> Problem:
        return Problem(
            DATASET_GONE,
            f"The dataset {source.name!r} was deleted while it was being loaded, and what was stored of the "
            "load with it. Retry the load to have all of it stored anew.",
        )
