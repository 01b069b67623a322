"""A change of a dataset with its stored rows, as a job: validated, logged in its place, waited for."""

import asyncio
from typing import Final

import msgspec

from api.batch.ingest import Parts
from api.batch.ledger import Ledger
from rules.envelope import Rewrite
from rules.errors import DATASET_NOT_FOUND, SCHEMA_CHANGE_REFUSED, Never, Problem
from rules.job import Change, Counts, State
from rules.limits import Limits
from rules.schema.carry import check_defaults
from rules.schema.dataset import Dataset
from rules.schema.mapping import Identity
from rules.schema.redeclare import read_existing, redeclare
from storage import datasets, writes
from storage.writes import Outcome
from streams.awaiting import on_loop
from streams.topics import partitions_of
from streams.wire import encode

ASK_EVERY: Final = 0.25


def changed_with_rows(dataset: Dataset, patch: object, limits: Limits) -> Dataset:
    """Return the dataset's next version as a PATCH asks for it that touches stored rows.

    Raises: Problem: schema_change_refused, and all that `redeclare` raises.
    """
    new = redeclare(dataset, patch, limits)
    if dataset.partition_by:
        raise Problem(
            SCHEMA_CHANGE_REFUSED,
            "The records of a dataset with partitionBy are in several places of the log and can't change "
            "together; make another dataset and load them into it.",
        )
    identity = Identity(dataset.key, dataset.subkey, dataset.date)
    if read_existing(patch) == "update" and Identity(new.key, new.subkey, new.date) != identity:
        raise Problem(
            SCHEMA_CHANGE_REFUSED,
            "With existing=update each record stays the record it is, so its key can't change; use "
            "existing=reingest.",
        )
    try:
        check_defaults(new)
    except Never as never:
        raise Problem(SCHEMA_CHANGE_REFUSED, f"This can't be done: {never.message}.") from never
    return new


def said_of(change: Change, counts: Counts) -> str:
    """Return what a job says in the end."""
    if change.how == "delete":
        return "Dataset has been changed, its records are deleted"
    aside = f", {counts.quarantined} are in quarantine" if counts.quarantined else ""
    return f"Dataset has been changed, {counts.replaced} records with it{aside}"


class Changing:
    """One job that changes a dataset with its rows."""

    def __init__(self, parts: Parts, ledger: Ledger, change: Change) -> None:
        self._parts = parts
        self._ledger = ledger
        self._change = change

    async def run(self) -> Counts:
        """Have it done, and return what became of the rows. Said again after a death, it is done once.

        Raises: Problem where it can't be done, OvertakenError, Later.
        """
        ledger = self._ledger
        if ledger.job.status is State.VALIDATING:
            await self._dataset()
            await ledger.become(State.VALIDATED, "the change fits the dataset")
        if ledger.job.status is State.VALIDATED:
            await ledger.become(State.INGESTING, "the change takes its place among the writes")
        outcome = await self._outcome()
        if outcome is None:
            await self._log()
            while (outcome := await self._outcome()) is None:
                await asyncio.sleep(ASK_EVERY)
                if ledger.due:
                    await ledger.note(ledger.job.progress)
        if outcome.rejected:
            await self._dataset()  # says why, where that is so yet
            raise Problem(SCHEMA_CHANGE_REFUSED, "The dataset was changed before this change came to it.")
        return Counts(
            read=outcome.accepted,
            validated=outcome.accepted - outcome.quarantined,
            invalid=outcome.quarantined,
            accepted=outcome.accepted,
            replaced=outcome.replaced,
            quarantined=outcome.quarantined,
        )

    @property
    def _id(self) -> str:
        return f"change:{self._ledger.job.id}"

    async def _dataset(self) -> Dataset:
        """Return the dataset, which the change fits. Raises: Problem."""
        change = self._change
        dataset = await on_loop(self._parts.store.read(lambda c: datasets.by_id(c, change.dataset_id)))
        if dataset is None:
            raise Problem(DATASET_NOT_FOUND, "The dataset was deleted before the change came to it.")
        changed_with_rows(dataset, msgspec.json.decode(change.patch), self._parts.limits)
        return dataset

    async def _log(self) -> None:
        """Append the change. Raises: Problem."""
        dataset, parts = await self._dataset(), self._parts
        (partition,) = partitions_of(dataset, parts.log.partitions)
        entry = Rewrite(
            self._id,
            dataset.workspace,
            dataset.name,
            dataset.id,
            dataset.version,
            parts.clock(),
            self._change.how,
            self._change.patch,
        )
        await parts.publisher.publish(partition, encode(entry), dataset.workspace, alone=True)

    async def _outcome(self) -> Outcome | None:
        found = await on_loop(self._parts.store.read(lambda c: writes.among(c, [self._id])))
        return found[0] if found else None
