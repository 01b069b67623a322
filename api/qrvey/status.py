"""`GET /dataload/{jobId}/status`: a job in the words of Qrvey's Data Router, every field always there."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.batch.loader import PLACES
from api.described import answers
from api.entry.caller import identified, params_of, services_of
from api.v1.render import reply
from rules.errors import JOB_NOT_FOUND, Problem
from rules.job import Invalid, Job, State, sum_of
from rules.token import Scope, may
from storage import jobs
from streams.awaiting import on_loop

router = APIRouter(tags=["qrvey"])

LISTED: Final = 100
SECOND: Final = 1_000_000_000

_ID: Final = "7ef78c10-1fdd-11ee-8cf2-4b9f0f29818b"
_SHOWN: Final = {
    "statusJob": {
        "jobId": _ID,
        "status": "Complete",
        "approximatePercentComplete": 100,
        "runtime": "0h 0m 11s",
    },
    "jobCompletionStatistics": {
        "dataSourcePumpStatistics": {
            "acme.users": {"failed": 0, "pumpTimeSeconds": 0, "read": 3, "successful": 3}
        },
        "failed": 0,
        "fillingEsStatistics": {"added": 0, "deleted": 0, "failed": 0, "updated": 3},
        "successful": 0,
        "updated": 3,
        "health": {"concurrencyPutChunkToEs": PLACES},
    },
    "errors": [],
}
_ANSWER: Final = answers(200, "The job, and why records of it failed, the first 100.", _SHOWN)


@router.get("/dataload/{job_id}/status", responses=_ANSWER)
async def status(request: Request, job_id: str) -> Response:
    """Show how far a job has come. Needs the scope `read` or `write`."""
    return await _status(request, job_id)


@router.get("/Prod/dataload/{job_id}/status", responses=_ANSWER)
async def status_prod(request: Request, job_id: str) -> Response:
    """Do what `/dataload/{jobId}/status` does, under the path that Qrvey's clients have."""
    return await _status(request, job_id)


async def _status(request: Request, job_id: str) -> Response:
    services, token = services_of(request), identified(request)
    job = await services.loads.find(job_id.replace("-", "").lower())
    names = [source.dataset for source in job.definition.sources]
    scopes: tuple[Scope, ...] = ("read", "write")
    if not any(all(may(token, scope, job.workspace, name) for name in names) for scope in scopes):
        raise Problem(JOB_NOT_FOUND, f"There is no job {job_id[:64]!r}.")
    failures = await on_loop(services.store.read(lambda c: jobs.invalid(c, job, LISTED)))
    return reply(document(job, job_id, failures, services.clock()), headers=params_of(request).ignored)


def document(job: Job, job_id: str, failures: list[Invalid], now: int) -> dict[str, Any]:
    """Return the status document of a job; `now` is in ns."""
    total = job.total
    end = job.ended_at or now
    return {
        "statusJob": {
            "jobId": job_id,
            "status": word(job),
            "approximatePercentComplete": 100 if job.status is State.INGESTED else int(100 * job.share),
            "runtime": runtime(end - (job.started_at or end)),
        },
        "jobCompletionStatistics": {
            "dataSourcePumpStatistics": _pumped(job),
            "failed": total.invalid + total.quarantined,
            "fillingEsStatistics": {
                "added": total.inserted,
                "deleted": 0,
                "failed": total.quarantined,
                "updated": total.replaced,
            },
            "successful": total.inserted,
            "updated": total.replaced,
            "health": {"concurrencyPutChunkToEs": PLACES},
        },
        "errors": [
            {"index": one.index, "path": one.path, "code": one.code, "message": one.message}
            for one in failures
        ],
    }


def word(job: Job) -> str:
    """Return the state of a job as Qrvey names it."""
    if job.status is State.VALIDATING and job.started_at is None:
        return "Initializing"
    if job.status in (State.VALIDATING, State.VALIDATED):
        return "PumpingDatasources"
    if job.status is State.INGESTING:
        return "FillingEs"
    total = job.total
    if job.status is State.INGESTED and (total.ingested or not total.read):
        return "Complete"
    return "ErrorExit"


def runtime(ns: int) -> str:
    """Return a duration as `0h 0m 11s`."""
    minutes, seconds = divmod(ns // SECOND, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m {seconds}s"


def _pumped(job: Job) -> dict[str, Any]:
    """Return the numbers of each dataset, under its id as the caller wrote it."""
    found: dict[str, Any] = {}
    for source in job.definition.sources:
        mine = [
            counts
            for other, counts in zip(job.definition.sources, job.progress.counts, strict=True)
            if other.name == source.name
        ]
        total = sum_of(mine)
        found[source.name] = {
            "failed": total.invalid,
            "pumpTimeSeconds": int(total.seconds),
            "read": total.read,
            "successful": total.validated,
        }
    return found
