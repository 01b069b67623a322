"""Whether it lives, whether it is ready, what it measures."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.described import answers
from api.influx.answers import VERSION

logger = logging.getLogger(__name__)

router = APIRouter(tags=["operations"])


METRICS_TYPE: Final = "text/plain; version=0.0.4"
LIVES: Final[dict[str, Any]] = {
    "name": "sluice",
    "status": "pass",
    "message": "alive",
    "checks": [],
    "version": VERSION,
}


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a process says of itself: the body of `/ready`, the text of `/metrics`."""

    readiness: Callable[[], Mapping[str, Any]]
    metrics: Callable[[], bytes]


@router.get("/health")
async def alive() -> dict[str, Any]:
    """Say that the process lives, in the form that InfluxDB's callers read too."""
    return LIVES


_READY: Final = {"status": "ready", "started": "2026-11-21T13:05:00Z", "up": "14m45s", "parts": {}}


@router.get(
    "/ready",
    responses=answers(200, "It is ready.", _READY)
    | answers(503, "It is not.", {**_READY, "status": "unready"}),
)
async def ready(request: Request) -> JSONResponse:
    """Say whether every part works: 200, or 503 with the parts that do not."""
    report = _vitals(request).readiness()
    return JSONResponse(dict(report), 200 if report["status"] == "ready" else 503)


@router.get(
    "/metrics",
    responses={
        200: {
            "description": "Every metric.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "sluice_requests_total 7\n"}},
        }
    },
)
async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text format."""
    return Response(_vitals(request).metrics(), media_type=METRICS_TYPE)


def _vitals(request: Request) -> Vitals:
    return cast(Vitals, request.app.state.vitals)


def log_failure(request: Request, error: Exception) -> None:
    """Log a request that failed inside."""
    logger.error(
        "%s %s failed: %s",
        request.method,
        request.url.path,
        error,
        exc_info=error,
        extra={"action": "request_failed"},
    )
