"""`/v1/events/{workspace}[/{dataset}]/stream`: live events, from now on."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from fastapi import APIRouter, Request

from api.described import stream
from api.entry.caller import caller, services_of, still_may
from api.feeds.live import Listener
from api.feeds.sse import COMMENT_EVERY, EventStream, comment
from api.services import Services

router = APIRouter(tags=["events"])

_LIVE: Final = stream(
    "Events as they happen, a comment every 15 seconds; without resuming.",
    'event: record\ndata: {"workspace": "acme", "dataset": "quotes", "record": {"symbol": "ABC"}}\n\n',
)


@router.get("/v1/events/{workspace}/stream", responses=_LIVE)
async def of_workspace(request: Request, workspace: str) -> EventStream:
    """Send every record of a workspace as it happens, stored or only published."""
    caller(request, "read", workspace)
    return _stream(request, workspace, None)


@router.get("/v1/events/{workspace}/{dataset}/stream", responses=_LIVE)
async def of_dataset(request: Request, workspace: str, dataset: str) -> EventStream:
    """Send every record of a dataset as it happens, stored or only published."""
    caller(request, "read", workspace, dataset)
    return _stream(request, workspace, dataset)


def _stream(request: Request, workspace: str, dataset: str | None) -> EventStream:
    services = services_of(request)
    services.streams.check()
    listener = services.live.listen(workspace, dataset)
    return EventStream(_events(request, services, listener))


async def _events(request: Request, services: Services, listener: Listener) -> AsyncGenerator[bytes, None]:
    """Yield events until the reader leaves or falls too far behind: then it may come again."""
    services.streams.opened("events")
    try:
        yield comment("here are the events")
        while True:
            try:
                async with asyncio.timeout(COMMENT_EVERY):
                    await listener.woken.wait()
            except TimeoutError:
                yield comment("still here")
            if not still_may(request, "read", listener.workspace, listener.dataset):
                return
            if listener.stopped:
                yield comment("the broker is stopping; connect again")
                return
            if listener.lost:
                yield comment("too slow: events were left out; connect again")
                return
            if listener.waiting:
                yield listener.take()
    finally:
        services.live.leave(listener)
        services.streams.closed("events")
