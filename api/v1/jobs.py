"""`/v1/jobs/{workspace}/ingest`: batch loads shown, cancelled, retried; and their invalid records."""

from typing import Final

from fastapi import APIRouter, Request, Response

from api.batch.invalid_log import InvalidLog, as_csv, as_json, first_page
from api.batch.report import told
from api.described import answers, extra, query
from api.entry.caller import identified, params_of, services_of
from api.v1.render import reply
from rules.errors import FORBIDDEN, JOB_NOT_FOUND, Problem
from rules.job import Job
from rules.token import Scope, Token, may
from storage import jobs
from streams.awaiting import on_loop

router = APIRouter(tags=["loads"])

PAGE: Final = 1_000
_LAST: Final = 10**18
_ID: Final = "887b948762ff4b5c889112afb21ea463"
_SHOWN: Final = {
    "jobId": _ID,
    "dataset": "quotes",
    "status": "INGESTED",
    "lastGoodStatus": "INGESTED",
    "progress": 1.0,
    "bytes": 579,
    "read": 4,
    "validated": 3,
    "ingested": 3,
    "invalid": 1,
    "inserted": 3,
    "replaced": 0,
    "ignored": 0,
    "quarantined": 0,
    "createdAt": "2026-11-21T13:05:00Z",
    "startedAt": "2026-11-21T13:05:00.1Z",
    "endedAt": "2026-11-21T13:05:00.4Z",
    "message": "Ingestion job successful, 3 records ingested",
    "log": [{"timestamp": 1795266300000, "severity": "info", "message": f"jobId: {_ID} has been created"}],
}
_WHY: Final = (
    'line 4: validation failed: .price should be a number: Column "price" takes a number; '
    'the text "seven" came.'
)


@router.get(
    "/v1/jobs/{workspace}/ingest",
    openapi_extra=extra(
        query("after", "Go on behind this job (`next`).", "integer", minimum=1),
        query("limit", "How many.", "integer", minimum=1, maximum=PAGE, default=100),
    ),
    responses=answers(200, "Newest first.", {"jobs": [_SHOWN], "next": None}),
)
async def listing(request: Request, workspace: str) -> Response:
    """List the batch loads of a workspace. Needs `read` or `write`; of other datasets nothing is shown."""
    services, params = services_of(request), params_of(request)
    token = _asking(request, workspace, "read", "write")
    after, limit = params.whole("after", _LAST, 1, _LAST), params.whole("limit", 100, 1, PAGE)
    found = await on_loop(services.store.read(lambda c: jobs.listing(c, workspace, after, limit + 1)))
    following = found[limit - 1].number if len(found) > limit else None
    shown = [
        told(job) for job in found[:limit] if _may_on(token, job, "read") or _may_on(token, job, "write")
    ]
    return reply({"jobs": shown, "next": following}, headers=params.ignored)


@router.get("/v1/jobs/{workspace}/ingest/{job_id}", responses=answers(200, "The job.", _SHOWN))
async def show(request: Request, workspace: str, job_id: str) -> Response:
    """Show how far a batch load has come. Kept 7 days after its end. Needs `read` or `write`."""
    job = await _find(request, workspace, job_id, "read", "write")
    return reply(told(job), headers=params_of(request).ignored)


@router.get(
    "/v1/jobs/{workspace}/ingest/{job_id}/invalid-records-log",
    responses=answers(
        200,
        "As JSON, or as CSV (jobId, lineNumber, error) where `Accept` does not ask for JSON.",
        [
            {
                "jobId": _ID,
                "lineNumber": 4,
                "error": _WHY,
                "index": 3,
                "path": "/price",
                "code": "wrong_type",
            }
        ],
    ),
)
async def invalid_records(request: Request, workspace: str, job_id: str) -> Response:
    """Say of each record that was not taken why, the first 100,000. Needs `read` or `write`.

    Lines are those of the text as it was sent, a CSV's header being the first; of a JSON array they are the
    numbers of its members, from 1.
    """
    services = services_of(request)
    job = await _find(request, workspace, job_id, "read", "write")
    store, headers = services.store, {n.decode(): v.decode("latin-1") for n, v in params_of(request).ignored}
    first = await first_page(store, job)
    if "json" in request.headers.get("accept", "").lower():
        return InvalidLog(as_json(store, job, first), "application/json", headers)
    headers["content-disposition"] = f'attachment; filename="{job.dataset[:64]}-{job.id}-invalid-records.csv"'
    return InvalidLog(as_csv(store, job, first), "text/csv; charset=utf-8; header=present", headers)


@router.delete(
    "/v1/jobs/{workspace}/ingest/{job_id}",
    responses=answers(200, "It is cancelled.", {**_SHOWN, "status": "CANCELLED"}),
)
async def cancel(request: Request, workspace: str, job_id: str) -> Response:
    """Cancel a batch load. Records that are stored already stay. Needs `write`."""
    services = services_of(request)
    job = await _find(request, workspace, job_id, "write")
    changed = await services.loads.cancel(job, services.clock())
    return reply(told(changed), headers=params_of(request).ignored)


@router.post(
    "/v1/jobs/{workspace}/ingest/{job_id}/retry",
    status_code=202,
    responses=answers(202, "It is done anew.", {**_SHOWN, "status": "VALIDATING"}),
)
async def retry(request: Request, workspace: str, job_id: str) -> Response:
    """Do a batch load anew that failed or was cancelled, within a day. Needs `write`.

    Records that it stored already are not stored again.
    """
    services = services_of(request)
    job = await _find(request, workspace, job_id, "write")
    changed = await services.loads.retry(job, services.clock())
    return reply(told(changed), 202, params_of(request).ignored)


async def _find(request: Request, workspace: str, job_id: str, *scopes: Scope) -> Job:
    """Return a job that the caller may ask for; of others it is told that there is none."""
    token = _asking(request, workspace, *scopes)
    job = await services_of(request).loads.find(job_id, workspace)
    if not any(_may_on(token, job, scope) for scope in scopes):
        raise Problem(JOB_NOT_FOUND, f"There is no job {job_id[:64]!r}.")
    return job


def _asking(request: Request, workspace: str, *scopes: Scope) -> Token:
    """Return the token of who has one of the scopes in the workspace, on some of it at least.

    Raises: Problem(forbidden): asked before anything is looked up, so that it tells of nothing.
    """
    token = identified(request)
    if not any(may(token, scope, workspace, token.dataset) for scope in scopes):
        wanted = " or ".join(map(repr, scopes))
        raise Problem(FORBIDDEN, f"The token {token.id} has no right to {wanted} on {workspace[:64]}.")
    return token


def _may_on(token: Token, job: Job, scope: Scope) -> bool:
    return all(may(token, scope, job.workspace, source.dataset) for source in job.definition.sources)
