"""`/v1/datasets/{workspace}`: datasets declared, shown, changed, deleted; and schemas inferred."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.batch.sample import sample
from api.described import TIMEOUT, answers, extra, json_body, query
from api.entry.body import no_form
from api.entry.caller import body_of, caller, json_of, params_of, services_of
from api.lane.barrier import end
from api.services import Services
from api.v1.changes import change_with_rows
from api.v1.dataset import DECLARATION, SHOWN, described
from api.v1.renaming import rename
from api.v1.render import reply
from rules.errors import (
    DATASET_NOT_FOUND,
    TAKEN,
    VERSION_CONFLICT,
    Problem,
)
from rules.names import fold
from rules.schema.columns import schema_of
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from rules.schema.infer import key_candidates
from rules.schema.redeclare import read_existing, redeclare
from storage import datasets
from streams.awaiting import on_loop

router = APIRouter(tags=["datasets"])

TRIES: Final = 20
PAGE: Final = 1_000
SAMPLE: Final = 10_000


@router.post(
    "/v1/datasets/{workspace}",
    status_code=201,
    openapi_extra=extra(
        body=json_body("The dataset, alone or under `dataset`.", {"dataset": DECLARATION}, "Declaration")
    ),
    responses=answers(
        201, "It is made.", {"success": True, "message": "Dataset has been created", "datasetId": "quotes"}
    ),
)
async def make(request: Request, workspace: str) -> Response:
    """Declare a dataset. Needs the scope `admin` on the workspace; a write makes one on demand without it."""
    caller(request, "admin", workspace)
    services, params = services_of(request), params_of(request)
    declared = declare(workspace, await json_of(request, workspace), 0, services.limits)
    now = services.clock()
    made = await services.catalogue.change(lambda c: datasets.add(c, declared, now))
    if made is None:
        raise Problem(TAKEN, f"There is a dataset {declared.name!r} in {workspace!r} already.")
    return reply(_done("Dataset has been created", made), 201, params.ignored)


@router.get(
    "/v1/datasets/{workspace}",
    openapi_extra=extra(
        query("after", "Go on behind this dataset, in the order of their names."),
        query("limit", "How many datasets.", "integer", minimum=1, maximum=PAGE, default=PAGE),
    ),
    responses=answers(
        200,
        "The datasets by name; `next` is what goes back as `after`, null at the end.",
        {"datasets": [SHOWN], "next": None},
        "Datasets",
    ),
)
async def listing(request: Request, workspace: str) -> Response:
    """List the datasets of a workspace, by name."""
    caller(request, "read", workspace)
    params = params_of(request)
    after, limit = fold(params.text("after") or ""), params.whole("limit", PAGE, 1, PAGE)
    found = await on_loop(services_of(request).store.read(lambda c: datasets.listing(c, workspace)))
    behind = [dataset for dataset in found if dataset.folded > after]
    following = behind[limit - 1].name if len(behind) > limit else None
    body = {"datasets": [described(dataset) for dataset in behind[:limit]], "next": following}
    return reply(body, headers=params.ignored)


@router.get("/v1/datasets/{workspace}/{dataset}", responses=answers(200, "The dataset.", SHOWN, "Dataset"))
async def show(request: Request, workspace: str, dataset: str) -> Response:
    """Show one dataset: its schema, its columns, what identifies its records."""
    caller(request, "read", workspace, dataset)
    found = await _find(services_of(request), workspace, dataset)
    return reply(described(found), headers=params_of(request).ignored)


@router.patch(
    "/v1/datasets/{workspace}/{dataset}",
    openapi_extra=extra(
        body=json_body(
            "What changes: schema, columnMapping, mode, title, retention. `existing` says what becomes of "
            "stored records: `leave` (the default), `update`, `delete` or `reingest`.",
            {"title": "Quotes", "retention": "90d"},
            "DatasetChange",
        )
    ),
    responses={
        **answers(
            200,
            "It is changed, and stored records are as they were (existing=leave).",
            {
                "success": True,
                "message": "Dataset has been updated",
                "datasetId": "quotes",
                "dataset": SHOWN,
            },
        ),
        **answers(
            202,
            "A job changes it, and its stored records with it.",
            {
                "success": True,
                "message": "Dataset will be updated, jobId: 887b has been created",
                "datasetId": "quotes",
                "jobId": "887b948762ff4b5c889112afb21ea463",
                "jobUrl": "/v1/jobs/acme/ingest/887b948762ff4b5c889112afb21ea463",
            },
        ),
    },
)
async def change(request: Request, workspace: str, dataset: str) -> Response:
    """Change a dataset. Needs the scope `admin`. What becomes of its stored records, `existing` says:

    `leave`: nothing. So only what they keep to can change: new columns that may be absent, null allowed, an
    integer column to one of numbers, title, mode, retention.

    `update`: each is converted, and stays the record it is: key, `_id` and `_time` are kept. Columns that are
    gone are dropped, an absent value becomes the schema's `default`, a value takes its column's new type
    where that is certain (a text that says a number, a number as text, a date as date-time).

    `reingest`: the same, and each is checked by the new schema whole, as if it were written today; the key
    may change. Of records that the new key makes one, the one written last stays.

    `delete`: all are deleted.

    These three take their place among the writes: what was written before is treated so, schema and records
    change at one moment, and the old schema is in force until then. What does not fit any more is not lost:
    it is in quarantine, with the reason, as is what was accepted under the old schema and comes later. They
    raise no events, take 1,000,000 records at the most, and no dataset with partitionBy. Writes to the same
    partition wait meanwhile: about ten seconds for 100,000 records.
    """
    caller(request, "admin", workspace, dataset)
    services, params = services_of(request), params_of(request)
    patch = await json_of(request, workspace)
    if read_existing(patch) != "leave":
        old = await _find(services, workspace, dataset)
        return reply(await change_with_rows(services, old, patch), 202, params.ignored)
    for _ in range(TRIES):
        old = await _find(services, workspace, dataset)
        if await _replace(services, old, changed := redeclare(old, patch, services.limits)):
            body = {**_done("Dataset has been updated", changed), "dataset": described(changed)}
            return reply(body, headers=params.ignored)
        await services.catalogue.renew()
    raise Problem(VERSION_CONFLICT, f"The dataset {dataset[:64]!r} changes too often; try again.")


@router.put(
    "/v1/datasets/{workspace}/{dataset}/{name}",
    responses=answers(
        200,
        "It has that name; `rules` are the ids of those that are on it.",
        {
            "success": True,
            "message": "Dataset has been renamed",
            "datasetId": "prices",
            "rules": ["hot"],
            "dataset": {**SHOWN, "datasetId": "prices", "version": 2},
        },
    ),
)
async def call(request: Request, workspace: str, dataset: str, name: str) -> Response:
    """Rename a dataset. Its records stay as they are, and what is on its way to it is stored in it.

    The rules on it are on the new name from then on (each gets a version more) and judge what was written
    under the old one too; tokens bound to it stay so. The old name is free: a write to it makes another
    dataset, unless it says createDatasetOnDemand=false. Needs the scope `admin` on the workspace.
    """
    caller(request, "admin", workspace)
    services = services_of(request)
    done = await rename(services, await _find(services, workspace, dataset), name)
    body = {
        **_done("Dataset has been renamed", done.dataset),
        "rules": [rule.id for rule in done.rules],
        "dataset": described(done.dataset),
    }
    return reply(body, headers=params_of(request).ignored)


@router.delete(
    "/v1/datasets/{workspace}/{dataset}",
    openapi_extra=extra(TIMEOUT),
    responses=answers(
        200,
        "It is deleted, its records too.",
        {
            "success": True,
            "message": "Dataset has been deleted",
            "writeId": "0000000100000193000000005f1c2d3e",
        },
    ),
)
async def remove(request: Request, workspace: str, dataset: str) -> Response:
    """Delete a dataset with all its records. Its name is free at once; what is still on its way to it goes to
    quarantine. Needs the scope `admin`.
    """
    caller(request, "admin", workspace, dataset)
    services, params = services_of(request), params_of(request)
    timeout = params.number("timeout", 10.0, 0.1, 60.0)
    found = await _find(services, workspace, dataset)
    write_id = await end(services, found, timeout)
    body = {"success": True, "message": "Dataset has been deleted", "writeId": write_id}
    return reply(body, headers=params.ignored)


@router.post(
    "/v1/generate-schema/{workspace}",
    openapi_extra=extra(
        body=json_body("Records, as a write carries them.", [{"symbol": "ABC", "price": 18.5}])
    ),
    responses=answers(
        200,
        "What a dataset made on demand would have, and the columns that could be its key.",
        {"schema": DECLARATION["schema"], "keyCandidates": [["symbol"]]},
    ),
)
async def generate(request: Request, workspace: str) -> Response:
    """Infer a schema from the first 10,000 records of a body; nothing is made. Needs the scope `write`.

    The body is one of a write or of a load: JSON, JSON lines or CSV, told from the content.
    """
    caller(request, "write", workspace)
    no_form(dict(request.scope["headers"]))
    params = params_of(request)
    taken = sample(await body_of(request, workspace), SAMPLE, services_of(request).limits)
    told: dict[str, Any] = {"schema": schema_of(taken.types), "keyCandidates": key_candidates(taken.records)}
    if taken.refused:
        told["errors"] = [refusal.to_json() for refusal in taken.refused[:100]]
    return reply(told, headers=params.ignored)


def _done(message: str, dataset: Dataset) -> dict[str, Any]:
    return {"success": True, "message": message, "datasetId": dataset.name}


async def _find(services: Services, workspace: str, name: str) -> Dataset:
    dataset = await services.catalogue.find(workspace, name)
    if dataset is None:
        raise Problem(DATASET_NOT_FOUND, f"There is no dataset {name[:64]!r} in {workspace[:64]!r}.")
    return dataset


async def _replace(services: Services, old: Dataset, new: Dataset) -> bool:
    made = await services.catalogue.change(lambda c: new if datasets.replace(c, old, new) else None)
    return made is not None
