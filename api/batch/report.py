"""What callers are told of a job: the job itself, and why records were not taken."""

import re
from collections.abc import Mapping
from typing import Any, Final

from api.entry.answer import encode
from rules.errors import (
    BAD_LINE,
    BAD_MOMENT,
    BAD_ROW,
    MISSING_KEY,
    NOT_AN_OBJECT,
    NUMBER_OUT_OF_RANGE,
    RECORD_TOO_LARGE,
    TOO_DEEP,
    UNKNOWN_FIELD,
    WRONG_TYPE,
)
from rules.job import Invalid, Job
from rules.schema.moments import format_moment

_SHOULD: Final[Mapping[str, str]] = {
    BAD_LINE.name: "should be JSON",
    BAD_ROW.name: "should fit the header",
    BAD_MOMENT.name: "should match format of its column",
    NUMBER_OUT_OF_RANGE.name: "should be within the range of its column",
    UNKNOWN_FIELD.name: "should NOT have additional properties",
    NOT_AN_OBJECT.name: "should be object",
    TOO_DEEP.name: "should NOT be nested deeper",
    RECORD_TOO_LARGE.name: "should NOT be larger",
}
"""AJV's manner of speaking, which those who read these logs look for."""

CSV_HEADER: Final = b"jobId,lineNumber,error\r\n"

_TAKES: Final = re.compile(r'" takes ([^;:"]+);')


def told(job: Job) -> dict[str, Any]:
    """Return a job as `GET` shows it."""
    total, progress = job.total, job.progress
    return {
        "jobId": job.id,
        "dataset": job.dataset,
        "status": job.status.value,
        "lastGoodStatus": progress.last_good,
        "progress": round(job.share, 4),
        "bytes": job.size,
        "read": total.read,
        "validated": total.validated,
        "ingested": total.ingested,
        "invalid": total.invalid,
        "inserted": total.inserted,
        "replaced": total.replaced,
        "ignored": total.ignored,
        "quarantined": total.quarantined,
        "createdAt": format_moment(job.created_at),
        "startedAt": None if job.started_at is None else format_moment(job.started_at),
        "endedAt": None if job.ended_at is None else format_moment(job.ended_at),
        "message": progress.message,
        "log": [
            {"timestamp": line.timestamp, "severity": line.severity, "message": line.message}
            for line in progress.log
        ],
    }


def url_of(job: Job) -> str:
    """Return where the job is told of."""
    return f"/v1/jobs/{job.workspace}/ingest/{job.id}"


def sentence(invalid: Invalid) -> str:
    """Return why a record was not taken, as the log of invalid records says it."""
    where = invalid.path.replace("/", ".")
    if invalid.code == MISSING_KEY.name:
        should = f"should have required property '{invalid.path[1:]}'"
        where = ""
    else:
        takes = _TAKES.search(invalid.message) if invalid.code == WRONG_TYPE.name else None
        should = f"should be {takes[1]}" if takes else _SHOULD.get(invalid.code, "")
    said = f"{should}: {invalid.message}" if should else invalid.message
    return f"line {invalid.line}: validation failed: {where} {said}"


def invalid_json(one: Invalid, job_id: str) -> bytes:
    """Return an entry of the log of invalid records as JSON."""
    return encode(
        {
            "jobId": job_id,
            "lineNumber": one.line,
            "error": sentence(one),
            "index": one.index,
            "path": one.path,
            "code": one.code,
        }
    )


def invalid_csv(one: Invalid, job_id: str) -> bytes:
    """Return an entry of the log of invalid records as a row of CSV, under `CSV_HEADER`."""
    return f"{job_id},{one.line},{_quoted(sentence(one))}\r\n".encode()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
