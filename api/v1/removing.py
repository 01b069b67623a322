"""`DELETE /v1/data/{workspace}/{dataset}[/{key}[/{subkey}]]`: stored records deleted."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from msgspec import structs
from sqlalchemy import Connection

from api.described import IDEMPOTENCY_KEY, TIMEOUT, answers, extra
from api.entry.caller import caller, params_of, services_of
from api.entry.params import Params
from api.lane.barrier import Chosen, Deleted, delete
from api.lane.door import Request as DoorRequest
from api.services import Services
from api.v1.asked import RANGE, WHERE, condition_of
from api.v1.data import no_dataset, stored_dataset
from api.v1.render import reply
from api.v1.selection import Address, address_of, select_in, span_of
from rules.errors import BAD_PARAMETER, Problem
from rules.schema.dataset import Dataset
from storage.bounded import ROWS, Bound, TooMuch
from storage.removal import to_look_at

router = APIRouter(tags=["data"])

_DELETE: Final = extra(*RANGE, WHERE, TIMEOUT, IDEMPOTENCY_KEY)
_TAKEN: Final = ("from", "to", "on", "range", "where", "timeout")
_DELETED: Final = answers(
    200,
    "They are deleted. Where several datasets were named, `datasets` says it of each, and there is no "
    "`writeId` of all.",
    {"success": True, "deleted": 3, "writeId": "0000000100000193000000005f1c2d3e"},
)


@router.delete("/v1/data/{workspace}/{dataset}", openapi_extra=_DELETE, responses=_DELETED)
@router.delete("/v1/data/{workspace}/{dataset}/{key}", openapi_extra=_DELETE, responses=_DELETED)
@router.delete(
    "/v1/data/{workspace}/{dataset}/{key}/{subkey:path}", openapi_extra=_DELETE, responses=_DELETED
)
async def remove(request: Request) -> Response:
    """Delete the records of a key, of several keys (with commas between them), of a range of time, or those
    that a condition selects; where more than one is given, those that all mean.

    It takes its place among the writes: what was written before it goes, nothing after. It always waits.
    Several datasets stand with commas between them; where one is not there or can't answer the condition,
    none is deleted from. A parameter that is not known, or stands there twice, is refused: more would be
    deleted than was meant.
    """
    address = address_of(request)
    for name in address.datasets:
        token = caller(request, "write", address.workspace, name)
    services, params = services_of(request), params_of(request)
    ends = time.monotonic() + params.number("timeout", 10.0, 0.1, 60.0)
    where = params.text("where")
    _refuse_unclear(address, params, where, services.clock())
    found = await _find(services, address)

    def choose(dataset: Dataset, at: int) -> Chosen:
        return select_in(dataset, address.keys, span_of(params, at))._replace(where=where or "")

    chosen = [choose(dataset, services.clock()) for dataset in found]
    if where is not None:
        await _ensure_bounded(services, found, chosen)
    scope = request.scope
    like_a_write = DoorRequest(
        request.method, address.raw, dict(scope["headers"]), scope["query_string"], params, token
    )
    timeout = max(0.1, ends - time.monotonic())
    if len(found) == 1:
        done = await delete(services, like_a_write, found[0], partial(choose, found[0]), timeout)
        return reply({"success": True, "deleted": done.deleted, "writeId": done.write_id})
    return reply(await _from_each(services, like_a_write, found, choose, timeout))


async def _from_each(
    services: Services,
    request: DoorRequest,
    found: Sequence[Dataset],
    choose: Callable[[Dataset, int], Chosen],
    timeout: float,
) -> dict[str, Any]:
    """Delete from several datasets at once and return the answer.

    Raises: Problem: what `delete` raises of the first that failed; `datasets` says what became of each.
    """

    async def one(dataset: Dataset) -> Deleted | Problem:
        # each has a claim of its own on the Idempotency-Key: a repeat does those that were not done
        own = structs.replace(request, path=f"{request.path}#{dataset.folded}")
        try:
            return await delete(services, own, dataset, partial(choose, dataset), timeout)
        except Problem as problem:
            return problem

    outcomes = await asyncio.gather(*map(one, found))
    some = any(isinstance(outcome, Deleted) for outcome in outcomes)
    told = {dataset.name: _told(outcome) for dataset, outcome in zip(found, outcomes, strict=True)}
    for outcome in outcomes:
        if isinstance(outcome, Problem):
            raise Problem(
                outcome.code,
                f"Not all datasets were deleted from. {outcome.detail}" if some else outcome.detail,
                extra={"datasets": told},
                retry_after=outcome.retry_after,
            )
    return {"success": True, "deleted": sum(one["deleted"] for one in told.values()), "datasets": told}


def _told(outcome: Deleted | Problem) -> dict[str, Any]:
    if isinstance(outcome, Problem):
        return {"code": outcome.code.name, "message": outcome.detail, **outcome.extra}
    return {"deleted": outcome.deleted, "writeId": outcome.write_id}


async def _find(services: Services, address: Address) -> list[Dataset]:
    found = []
    for name in address.datasets:
        dataset = await services.catalogue.find(address.workspace, name)
        if dataset is None:
            raise no_dataset(address.workspace, name)
        found.append(dataset)
    return found


async def _ensure_bounded(services: Services, found: Sequence[Dataset], chosen: Sequence[Chosen]) -> None:
    """Refuse a condition that is none, or for which too many records would have to be looked at one by one.

    Raises: Problem: bad_parameter, scan_limit, overloaded, query_too_slow.
    """

    def body(c: Connection, _: Bound) -> None:
        for dataset, each in zip(found, chosen, strict=True):
            now = stored_dataset(c, dataset.workspace, dataset.name)  # its table may be newer than we know
            where = condition_of(each.where, now, services.limits)
            if to_look_at(c, now, each.keys, each.begin, each.end, where, ROWS) > ROWS:
                raise TooMuch(ROWS)

    await services.queries.search(body)


def _refuse_unclear(address: Address, params: Params, where: str | None, now: int) -> None:
    """Refuse what names nothing to delete, or what is not known, before anything is looked for."""
    span = span_of(params, now)
    unknown: list[Any] = params.everything_but(*_TAKEN)
    if unknown:
        raise Problem(
            BAD_PARAMETER,
            f"A delete takes {', '.join(_TAKEN)}, not {unknown[0][0][:60]!r}; nothing was deleted.",
        )
    if params.repeated:
        raise Problem(BAD_PARAMETER, "A parameter stands there twice: which of them? Nothing was deleted.")
    if not address.keys and not span.given and where is None:
        raise Problem(
            BAD_PARAMETER, "Name a key in the path, a range, or a condition in where: what shall be deleted?"
        )
