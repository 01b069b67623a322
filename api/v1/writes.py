"""`GET /v1/writes/{writeId}`: what became of a write."""

from typing import Any

from fastapi import APIRouter, Request

from api.entry.caller import services_of
from rules.errors import WRITE_NOT_FOUND, Problem
from rules.token import may

router = APIRouter(tags=["writes"])


@router.get("/v1/writes/{write_id}")
async def tell(request: Request, write_id: str) -> dict[str, Any]:
    """Say whether a write is logged, stored, published, or partly in quarantine, and which alerts it raised.

    Kept 7 days. A token of another workspace is told that there is no such write.
    """
    services = services_of(request)
    token = services.gate.identify(dict(request.scope["headers"]), request.scope["query_string"])
    told = await services.outcomes.tell(write_id, services.clock())
    workspace, dataset = told.get("workspace"), told.get("dataset")
    visible = token.administrator or workspace is None
    if not visible and not any(may(token, scope, workspace, dataset) for scope in ("read", "write")):
        raise Problem(WRITE_NOT_FOUND, f"No write was given the id {write_id[:64]!r} in the last 7 days.")
    return told
