"""`GET /v1/writes/{writeId}`: what became of a write."""

from typing import Any

from fastapi import APIRouter, Request

from api.entry.caller import identified, services_of

router = APIRouter(tags=["writes"])


@router.get("/v1/writes/{write_id}")
async def tell(request: Request, write_id: str) -> dict[str, Any]:
    """Say whether a write is logged, stored, published, or partly in quarantine, and which alerts it raised.

    Kept 7 days. A token of another workspace is told that there is no such write; one of another dataset
    is told no more than if the write were not stored yet.
    """
    services = services_of(request)
    return await services.outcomes.tell(write_id, services.clock(), identified(request))
