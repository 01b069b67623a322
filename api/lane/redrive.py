"""Quarantined records tried again: each a write of its own, named for its place in the quarantine."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.lane.admit import Admission
from api.lane.admitted import Admitted
from api.lane.barrier import Entry, append
from api.lane.cut import partition_of
from api.lane.door import Draft, Options
from api.services import Services
from rules.envelope import Handling, Record, Redrive
from rules.errors import TOO_SLOW, Problem, Refusal
from rules.schema.dataset import Dataset
from storage.quarantine import Quarantined
from storage.writes import Outcome
from streams.topics import dataset_partition, partitions_of
from streams.wire import encode

Listening = dict[str, "asyncio.Future[list[Outcome]]"]


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of quarantined records that were tried again.

    `stored` were inserted; of `ignored` the key had been stored meanwhile; `quarantined` are set aside
    still or anew, `refused` says why of those that the dataset does not take as it is now.
    """

    redriven: int
    stored: int
    ignored: int
    quarantined: int
    refused: list[tuple[Quarantined, Refusal]]


async def redrive(
    services: Services, dataset: Dataset, records: Sequence[Quarantined], timeout: float
) -> Redriven:
    """Write quarantined records into a dataset and wait until that is done. `timeout` is in seconds.

    They are admitted like any others, so a dataset in evolve mode gets the columns they need. What is
    refused stays in quarantine.

    Raises: Problem: overloaded, backlog, disk_low, stopping, log_unavailable, outcome_unknown, too_slow,
    store_unavailable, dataset_not_found where the dataset was deleted meanwhile.
    """
    services.pressure.check(dataset.workspace, partitions_of(dataset, services.partitions))
    admission = Admission(services.catalogue, services.limits, services.clock)
    draft = Draft(dataset.name, [one.record for one in records], plain=False, indexes=None, size=0)
    admitted = await admission.admit(dataset.workspace, draft, Options(wait=True, create=False))
    accepted = range(len(records)) if admitted.indexes is None else admitted.indexes
    entries: dict[str, Entry] = {}
    for position, record in zip(accepted, admitted.records, strict=True):
        write_id = f"redrive:{records[position].id}"
        entries[write_id] = _entry(write_id, records[position], record, admitted, services.partitions)
    outcomes = await _apply(services, dataset.workspace, entries, timeout) if entries else []
    aside = sum(one.quarantined for one in outcomes)
    return Redriven(
        redriven=len(records),
        stored=sum(one.inserted + one.replaced for one in outcomes),
        ignored=sum(one.ignored for one in outcomes),
        quarantined=aside + len(records) - len(entries),
        refused=[(records[refusal.index], refusal) for refusal in admitted.refusals],
    )


def _entry(write_id: str, kept: Quarantined, record: Record, admitted: Admitted, partitions: int) -> Entry:
    dataset = admitted.dataset
    assert dataset is not None, "without createDatasetOnDemand a dataset is there, or admission refuses"
    if dataset.partition_by:
        partition = partition_of(dataset, record, partitions)
    else:
        partition = dataset_partition(dataset.workspace, dataset.made_as or dataset.name, partitions)
    entry = Redrive(
        id=write_id,
        workspace=dataset.workspace,
        dataset=dataset.name,
        dataset_id=dataset.id,
        version=dataset.version,
        at=kept.at,
        quarantine_id=kept.id,
        record_id=kept.record_id,
        flags=kept.flags,
        handling=Handling.IGNORE,
        record=record,
    )
    return Entry(partition, encode(entry))


async def _apply(
    services: Services, workspace: str, entries: dict[str, Entry], timeout: float
) -> list[Outcome]:
    deadline = time.monotonic() + timeout
    held = services.inflight.hold(workspace, sum(len(entry.bytes) for entry in entries.values()))
    listening = {write_id: services.outcomes.expect(write_id, 1) for write_id in entries}
    told: dict[str, Any] = {"redriven": len(entries)}
    try:
        await append(services, workspace, list(entries.values()), timeout, alone=False, told=told, held=held)
        outcomes = await _wait(listening, deadline)
    finally:
        for write_id in entries:
            services.outcomes.forget(write_id)
    if outcomes is None:
        sentence = f"They are logged and will be tried, but were not within {timeout:g} s."
        raise Problem(TOO_SLOW, sentence, extra=told)
    return outcomes


async def _wait(listening: Listening, deadline: float) -> list[Outcome] | None:
    """Return the outcome of each, or None where one did not come in time."""
    _, late = await asyncio.wait(listening.values(), timeout=max(0.0, deadline - time.monotonic()))
    return None if late else [future.result()[0] for future in listening.values()]
