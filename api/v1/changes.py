"""Changes of a dataset that touch its stored rows, handed to a job."""

from typing import Any, Final

import msgspec

from api.batch.changing import changed_with_rows
from api.batch.loads import Wanted
from api.batch.report import url_of
from api.services import Services
from rules.errors import BODY_TOO_LARGE, SCHEMA_CHANGE_REFUSED, Problem
from rules.job import Change, Definition, Source
from rules.schema.dataset import Dataset
from rules.schema.redeclare import read_existing
from storage import rewriting
from streams.awaiting import on_loop
from streams.topics import partitions_of

MOST: Final = 1_000_000
"""Rows that a change may touch, as in Apperate; their partition waits while they are worked through."""


async def change_with_rows(services: Services, dataset: Dataset, patch: object) -> dict[str, Any]:
    """Make a job of a change; return what the caller is told.

    Raises: Problem: schema_change_refused, overloaded, and what `redeclare` raises.
    """
    changed_with_rows(dataset, patch, services.limits)
    how = read_existing(patch)
    if how != "delete":
        rows = await on_loop(services.store.read(lambda c: rewriting.count(c, dataset, MOST)))
        if rows > MOST:
            raise Problem(
                SCHEMA_CHANGE_REFUSED,
                f"{dataset.name!r} has more than {MOST} records, the most that change with their dataset; "
                "make another dataset and load them into it, or use existing=leave.",
            )
    asked = msgspec.json.encode(patch)
    if len(asked) > services.limits.part_bytes:
        raise Problem(
            BODY_TOO_LARGE,
            f"The change has {len(asked)} bytes; {services.limits.part_bytes} fit in the log with records.",
        )
    await services.loads.room(dataset.workspace)
    (partition,) = partitions_of(dataset, services.partitions)
    change = Change(dataset.id, how, asked.decode())
    definition = Definition(partition, [Source(dataset.name, dataset.name, 0, [], 0)], change=change)
    wanted = Wanted(dataset.workspace, definition, dataset.name)
    job = await services.loads.make(wanted, None, services.clock())
    return {
        "success": True,
        "message": f"Dataset will be updated, jobId: {job.id} has been created",
        "datasetId": dataset.name,
        "jobId": job.id,
        "jobUrl": url_of(job),
    }
