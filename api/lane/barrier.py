"""Deletes and datasets' ends as writes: they take their place in the log among the records."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from api.entry.inflight import Held
from api.lane.door import Request
from api.lane.once import Once, keyed
from api.services import Services
from rules.envelope import DatasetEnd, Delete
from rules.errors import DATASET_NOT_FOUND, LOG_UNAVAILABLE, OUTCOME_UNKNOWN, TOO_SLOW, Problem
from rules.ids import run_and_counter
from rules.schema.dataset import Dataset
from storage import datasets, writes
from storage.writes import Outcome
from streams.awaiting import on_loop
from streams.topics import partitions_of
from streams.wire import encode


class Chosen(NamedTuple):
    """What is meant: any of `keys`, a half-open range in ns, what `where` selects; all that are given.

    A key is the values of the first key columns in stored form, `where` a condition that was read before.
    """

    keys: list[list[object]]
    begin: int | None
    end: int | None
    where: str = ""


class Deleted(NamedTuple):
    """How many records a delete found."""

    write_id: str
    deleted: int


class Entry(NamedTuple):
    """An encoded entry of the log and the partition it goes to."""

    partition: int
    bytes: bytes


async def delete(
    services: Services,
    request: Request,
    dataset: Dataset,
    choose: Callable[[int], Chosen],
    timeout: float,
) -> Deleted:
    """Delete the records chosen that were written before this, and wait until they are gone.

    `choose` says which, as of a time in ns: with an Idempotency-Key it is done once, however often it is
    asked, and `today` is that of the first time. `timeout` is in seconds.

    Raises: Problem: overloaded, backlog, disk_low, stopping, log_unavailable, outcome_unknown, too_slow,
    idempotency_conflict, store_unavailable; and what `choose` raises.
    """
    places = partitions_of(dataset, services.partitions)
    services.pressure.check(dataset.workspace, places)
    # a claim's scope folds the path, and keys in it that differ in case are two
    key = keyed(request, dataset.workspace, _keys_in(request.path), services.limits)
    write_id, at = services.mint.next(dataset.workspace), services.clock()
    repeat = False
    if key is not None:
        claim = await Once(services.store, services.clock).claim(key, write_id, {})
        repeat = claim.write_id != write_id
        write_id, at = claim.write_id, claim.at
    chosen = choose(at)
    one = chosen.keys[0] if len(chosen.keys) == 1 else []
    entries = [
        Entry(
            place,
            encode(
                Delete(
                    id=write_id,
                    workspace=dataset.workspace,
                    dataset=dataset.name,
                    dataset_id=dataset.id,
                    version=dataset.version,
                    at=at,
                    key=one,
                    begin=chosen.begin,
                    end=chosen.end,
                    part=part,
                    parts=len(places),
                    keyed=key is not None,
                    keys=[] if one else chosen.keys,
                    where=chosen.where,
                    columns=list(dataset.key[: max(map(len, chosen.keys), default=0)]),
                    date=dataset.date or "",
                )
            ),
        )
        for part, place in enumerate(places)
    ]
    outcomes = await _apply(services, dataset.workspace, write_id, entries, timeout, repeat=repeat)
    return Deleted(write_id, sum(outcome.deleted for outcome in outcomes))


def _keys_in(path: str) -> bytes:
    """Return what stands behind the dataset in /v1/data/WORKSPACE/DATASET/KEY/SUBKEY."""
    return "/".join(path.split("/")[5:]).encode()


async def end(services: Services, dataset: Dataset, timeout: float) -> str:
    """Delete a dataset: its name is free at once, its records go once all before it is applied.

    Returns the writeId. Raises: Problem: dataset_not_found where somebody else was faster, and what
    `delete` raises.
    """
    services.pressure.check(dataset.workspace, partitions_of(dataset, services.partitions))
    if not await on_loop(services.store.write(lambda c: datasets.retire(c, dataset))):
        raise Problem(DATASET_NOT_FOUND, f"The dataset {dataset.name!r} was deleted meanwhile.")
    services.catalogue.forget(dataset)
    write_id = services.mint.next(dataset.workspace)
    places = partitions_of(dataset, services.partitions)
    at = services.clock()
    entries = [
        Entry(
            place,
            encode(
                DatasetEnd(
                    id=write_id,
                    workspace=dataset.workspace,
                    dataset=dataset.name,
                    dataset_id=dataset.id,
                    version=dataset.version,
                    at=at,
                    part=part,
                    parts=len(places),
                )
            ),
        )
        for part, place in enumerate(places)
    ]
    await _apply(services, dataset.workspace, write_id, entries, timeout, repeat=False)
    return write_id


async def append(
    services: Services,
    workspace: str,
    entries: Sequence[Entry],
    timeout: float,
    *,
    alone: bool,
    told: Mapping[str, object],
    held: Held | None = None,
) -> None:
    """Append entries to the log; what is held for them in memory is given back when their appends end.

    `told` is what a caller learns where the log's answer did not come, to ask later what became of it.

    Raises: Problem: log_unavailable where nothing was logged, outcome_unknown.
    """
    logged = [services.publisher.publish(e.partition, e.bytes, workspace, alone=alone) for e in entries]
    ended = asyncio.gather(*logged, return_exceptions=True)
    if held is not None:
        ended.add_done_callback(lambda _: held.release())
    done, late = await asyncio.wait(logged, timeout=timeout)
    failed = [error for future in done if (error := future.exception()) is not None]
    if not late and not failed:
        services.meter.count("writes_total", len(entries), outcome="logged")
        return
    services.meter.count("writes_total", len(entries), outcome="unknown")
    refused = [error for error in failed if isinstance(error, Problem) and error.code is LOG_UNAVAILABLE]
    if len(refused) == len(logged):
        raise refused[0]
    raise Problem(
        OUTCOME_UNKNOWN,
        "The log did not say in time whether it has the write. It may be done yet; send it again with the "
        "same Idempotency-Key to be sure.",
        extra={"outcome": "unknown", **told},
    )


async def _apply(
    services: Services,
    workspace: str,
    write_id: str,
    entries: Sequence[Entry],
    timeout: float,
    *,
    repeat: bool,
) -> list[Outcome]:
    """Append the parts of one write and wait until all are applied."""
    if repeat:
        applied = await _applied(services, write_id)
        if applied:
            return applied
    deadline = time.monotonic() + timeout
    listening = services.outcomes.expect(write_id, len(entries))
    try:
        await append(services, workspace, entries, timeout, alone=True, told={"writeId": write_id})
        left = max(0.0, deadline - time.monotonic())
        found = await services.outcomes.wait(write_id, listening, left, repeat)
    finally:
        services.outcomes.forget(write_id)
    if found is None:
        raise Problem(
            TOO_SLOW,
            f"It is logged and will be done, but was not within {timeout:g} s.",
            extra={"writeId": write_id},
        )
    # receipts of a repeat that was dropped say that nothing was deleted; the first's outcome is kept
    return await _applied(services, write_id) if repeat else found


async def _applied(services: Services, write_id: str) -> list[Outcome]:
    """Return the kept outcomes of all parts of a write, none while a part is missing."""
    minted = run_and_counter(write_id)
    found = await on_loop(services.store.read(lambda c: writes.outcomes(c, write_id, *minted)))
    whole = bool(found) and len(found) == found[0].outcome.parts
    return [one.outcome for one in found] if whole else []
