"""`POST /v1/data/{workspace}/{dataset}`: a body of any length, loaded as a job."""

from typing import Any, Final, NamedTuple

from fastapi import APIRouter, Request, Response

from api.batch.loads import Wanted
from api.batch.report import url_of
from api.described import IDEMPOTENCY_KEY, answers, extra, query
from api.entry.body import no_form
from api.entry.caller import asked, caller, params_of, services_of
from api.entry.params import Params
from api.lane.once import keyed
from api.services import Services
from api.v1.render import reply
from rules.envelope import Handling
from rules.errors import BAD_PARAMETER, DATASET_NOT_FOUND, LOAD_FAILED, TOO_SLOW, Problem
from rules.job import Definition, Job, Source, State
from rules.names import dataset_name, workspace_name

router = APIRouter(tags=["loads"])

LONGEST: Final = 3600.0
MOST_INVALID: Final = 10**12
_HANDLING: Final = {
    "ignore": Handling.IGNORE,
    "replace": Handling.REPLACE,
    "merge": Handling.MERGE,
    "true": Handling.REPLACE,
    "false": Handling.IGNORE,
}
_JOB: Final = "887b948762ff4b5c889112afb21ea463"
_MADE: Final = {
    "success": True,
    "message": f"Data upload of 579B for quotes completed, jobId: {_JOB} has been created",
    "jobId": _JOB,
    "jobUrl": f"/v1/jobs/acme/ingest/{_JOB}",
}
_BODY: Final = {
    "required": True,
    "content": {
        "text/csv": {"schema": {"type": "string"}, "example": "symbol,price\nABC,18.5\n"},
        "application/json": {
            "schema": {"type": "array", "items": {"type": "object"}},
            "example": [{"symbol": "ABC", "price": 18.5}],
        },
        "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"symbol": "ABC"}\n'},
    },
}


@router.post(
    "/v1/data/{workspace}/{dataset}",
    status_code=202,
    openapi_extra={
        **extra(
            query("wait", "true: answer once the job has ended.", "boolean", default=False),
            query(
                "timeout", "Seconds to wait, before 504.", "number", minimum=0.1, maximum=LONGEST, default=60
            ),
            query(
                "duplicateKeyHandling",
                "What becomes of a record whose key is stored.",
                enum=["ignore", "replace", "merge", "true", "false"],
                default="ignore",
            ),
            query("overwrite", "The old word: true means replace.", "boolean", default=False),
            query("maximumValidationErrors", "Past it nothing is stored.", "integer", minimum=0),
            query("event", "true: publish the records to the rules.", "boolean", default=False),
            query("persist", "A load always stores: false is refused.", "boolean", default=True),
            query("createDatasetOnDemand", "false: 404 for an unknown dataset.", "boolean", default=True),
            IDEMPOTENCY_KEY,
        ),
        "requestBody": _BODY,
    },
    responses={
        **answers(202, "The bytes are durable, and a job has been made of them.", _MADE),
        **answers(
            200,
            "The job has ended well (wait=true).",
            {**_MADE, "message": "Ingestion job successful, 3 records ingested"},
        ),
    },
)
async def load(request: Request, workspace: str, dataset: str) -> Response:
    """Load a JSON array, JSON lines, or CSV by comma, tab or pipe, told from the content. Needs `write`.

    Records are stored in their order. Those that are not valid are named in the job's log of invalid
    records, the others are stored.
    """
    token = caller(request, "write", workspace, dataset)
    services, params = services_of(request), params_of(request)
    workspace_name(workspace)
    dataset_name(dataset)
    wait, timeout = params.flag("wait", False), params.number("timeout", 60.0, 0.1, LONGEST)
    options = _options(params)
    create = params.flag("createDatasetOnDemand", True)
    if not create:
        await _must_exist(services, workspace, dataset)
    loads = services.loads
    headers = dict(request.scope["headers"])
    no_form(headers)
    with loads.quota.counting(token.id, headers) as counted:
        await loads.room(workspace)
        async with loads.uploads.begin(workspace) as upload:
            await upload.receive(request.receive, headers)
            uploaded = await upload.end()
            if not uploaded.size:
                raise Problem(BAD_PARAMETER, "The body is empty; send a JSON array, JSON lines, or CSV.")
            source = Source(dataset, dataset, options.handling, uploaded.runs, uploaded.size, create)
            definition = Definition(uploaded.partition, [source], options.event, options.most_invalid)
            key = keyed(asked(request, token, params), workspace, uploaded.digest, services.limits)
            job = await loads.make(Wanted(workspace, definition, dataset), key, services.clock())
        counted.size = uploaded.size
    if wait:
        return _ended(await loads.wait(job, timeout), params)
    message = f"Data upload of {job.size}B for {dataset} completed, jobId: {job.id} has been created"
    return reply({"success": True, "message": message, **_which(job)}, 202, params.ignored)


class _Options(NamedTuple):
    handling: Handling
    event: bool
    most_invalid: int | None


def _options(params: Params) -> _Options:
    default = "replace" if params.flag("overwrite", False) else "ignore"
    handling = _HANDLING[params.choice("duplicateKeyHandling", tuple(_HANDLING), default)]
    if not params.flag("persist", True):
        raise Problem(BAD_PARAMETER, "persist=false: a load always stores; publish with POST /v1/record.")
    given = params.text("maximumValidationErrors") is not None
    most = params.whole("maximumValidationErrors", 0, 0, MOST_INVALID) if given else None
    return _Options(handling, params.flag("event", False), most)


async def _must_exist(services: Services, workspace: str, dataset: str) -> None:
    if await services.catalogue.find(workspace, dataset) is None:
        raise Problem(DATASET_NOT_FOUND, f"There is no dataset {dataset!r}, and createDatasetOnDemand=false.")


def _which(job: Job) -> dict[str, Any]:
    return {"jobId": job.id, "jobUrl": url_of(job)}


def _ended(job: Job, params: Params) -> Response:
    if not job.ended:
        raise Problem(
            TOO_SLOW, f"The job is {job.status.value} and goes on; ask {url_of(job)}.", extra=_which(job)
        )
    if job.status is not State.INGESTED:
        raise Problem(LOAD_FAILED, job.progress.message, extra=_which(job))
    return reply({"success": True, "message": job.progress.message, **_which(job)}, headers=params.ignored)
