"""`GET /v1/writes/{writeId}`: what became of a write."""

from typing import Any, Final

from fastapi import APIRouter, Request

from api.described import answers
from api.entry.caller import identified, services_of

router = APIRouter(tags=["writes"])

_TOLD: Final = {
    "writeId": "0000000100000193000000005f1c2d3e",
    "state": "stored",
    "workspace": "acme",
    "dataset": "quotes",
    "accepted": 2,
    "rejected": 0,
    "inserted": 2,
    "replaced": 0,
    "ignored": 0,
    "quarantined": [],
    "alerts": [],
    "receivedAt": "2026-11-21T13:05:00Z",
    "storedAt": "2026-11-21T13:05:00.012Z",
}


@router.get("/v1/writes/{write_id}", responses=answers(200, "What is known of it.", _TOLD, "Write"))
async def tell(request: Request, write_id: str) -> dict[str, Any]:
    """Say whether a write is logged, stored, published, or partly in quarantine, and which alerts it raised.

    Kept 7 days. A token of another workspace is told that there is no such write; one of another dataset
    is told no more than if the write were not stored yet.
    """
    services = services_of(request)
    return await services.outcomes.tell(write_id, services.clock(), identified(request))
