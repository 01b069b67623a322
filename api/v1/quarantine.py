"""`/v1/quarantine/{workspace}`: records that were accepted and could not be stored; retried or dropped."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api.described import TIMEOUT, answers, extra, query
from api.entry.caller import caller, identified, params_of, services_of
from api.lane.redrive import Redriven, redrive
from api.services import Services
from api.v1.render import reply
from rules.errors import DATASET_NOT_FOUND, QUARANTINE_NOT_FOUND, Problem
from rules.schema.dataset import Dataset
from rules.schema.moments import format_moment
from rules.token import Token, may
from storage import quarantine
from storage.aside import Batch, batch, count
from storage.quarantine import Quarantined
from streams.awaiting import on_loop

router = APIRouter(tags=["quarantine"])

PAGE: Final = 1_000
PAGE_BYTES: Final = 16 * 1024 * 1024
REDRIVE_BYTES: Final = 8 * 1024 * 1024
_LAST_ID: Final = 10**18 - 1
_DIGITS: Final = 18

_AFTER: Final = query("after", "Go on behind this id.", "integer", minimum=0, default=0)
_LISTED: Final = answers(
    200,
    "The records, in the order in which they were set aside; `next` is what goes back as `after`, null at "
    "the end. A page ends early at 16 MB.",
    {
        "records": [
            {
                "id": 7,
                "dataset": "quotes",
                "writeId": "0000000100000193000000005f1c2d3e",
                "index": 0,
                "code": "dataset_gone",
                "message": "the dataset 'quotes' was deleted before this was stored",
                "record": {"symbol": "ABC"},
                "at": "2026-11-21T13:05:00Z",
            }
        ],
        "next": None,
    },
)
_REDRIVEN: Final = answers(
    200,
    "They were tried. `errors` names those the dataset does not take; `remaining` says how many of the "
    "dataset's records lie behind these, `next` is what goes back as `after` for them.",
    {
        "success": True,
        "redriven": 2,
        "stored": 1,
        "ignored": 1,
        "quarantined": 0,
        "remaining": 0,
        "next": None,
    },
)


@router.get(
    "/v1/quarantine/{workspace}",
    openapi_extra=extra(_AFTER, query("limit", "How many.", "integer", minimum=1, maximum=PAGE, default=100)),
    responses=_LISTED,
)
async def of_workspace(request: Request, workspace: str) -> Response:
    """List what is set aside in a workspace. Needs the scope `read`."""
    return await _list(request, workspace, None)


@router.get(
    "/v1/quarantine/{workspace}/{dataset}",
    openapi_extra=extra(_AFTER, query("limit", "How many.", "integer", minimum=1, maximum=PAGE, default=100)),
    responses=_LISTED,
)
async def of_dataset(request: Request, workspace: str, dataset: str) -> Response:
    """List what is set aside of a dataset, be it gone or not. Needs the scope `read`."""
    return await _list(request, workspace, dataset)


@router.post(
    "/v1/quarantine/{workspace}/{target}/redrive", openapi_extra=extra(_AFTER, TIMEOUT), responses=_REDRIVEN
)
async def again(request: Request, workspace: str, target: str) -> Response:
    """Try records again: one by its id, or those of a dataset by its name, 1,000 or 8 MB of them a call.

    They are stored in the dataset that answers to their dataset's name now. Only digits are an id, unless
    there is a dataset of that name. Needs the scope `write`.
    """
    services, params = services_of(request), params_of(request)
    after = params.whole("after", 0, 0, _LAST_ID)
    timeout = params.number("timeout", 10.0, 0.1, 60.0)
    token = _writer(request, workspace)
    dataset = await services.catalogue.find(workspace, target)
    if _id_of(target) is not None and (dataset is None or not may(token, "write", workspace, target)):
        one = await _find(services, token, workspace, target)
        done = await redrive(services, await _home(services, workspace, one.dataset), [one], timeout)
        return reply(_told(done), headers=params.ignored)
    services.gate.allow(token, "write", workspace, target)
    home = dataset or await _home(services, workspace, target)
    taken = await _batch(services, workspace, target, after, PAGE, REDRIVE_BYTES)
    done = await redrive(services, home, taken.records, timeout) if taken.records else _NOTHING
    last = taken.records[-1].id if taken.records else after
    left = await on_loop(services.store.read(lambda c: count(c, workspace, target, last)))
    told = {**_told(done), "remaining": left, "next": last if left else None}
    return reply(told, headers=params.ignored)


@router.delete("/v1/quarantine/{workspace}/{id}", status_code=204, responses=answers(204, "It is dropped."))
async def drop(request: Request, workspace: str, id: str) -> Response:  # noqa: A002
    """Drop a record for good. Needs the scope `write`."""
    services = services_of(request)
    one = await _find(services, _writer(request, workspace), workspace, id)
    if not await on_loop(services.store.write(lambda c: quarantine.drop(c, one.id))):
        raise _unknown(id, workspace)
    return Response(status_code=204)


_NOTHING: Final = Redriven(0, 0, 0, 0, [])


async def _list(request: Request, workspace: str, dataset: str | None) -> Response:
    caller(request, "read", workspace, dataset)
    params = params_of(request)
    after, limit = params.whole("after", 0, 0, _LAST_ID), params.whole("limit", 100, 1, PAGE)
    found = await _batch(services_of(request), workspace, dataset, after, limit, PAGE_BYTES)
    body = {
        "records": [_shown(one) for one in found.records],
        "next": found.records[-1].id if found.more else None,
    }
    return reply(body, headers=params.ignored)


async def _batch(
    services: Services, workspace: str, dataset: str | None, after: int, most: int, most_bytes: int
) -> Batch:
    def body(c: Connection) -> Batch:
        return batch(c, workspace, dataset, after, most, most_bytes)

    return await on_loop(services.store.read(body))


async def _home(services: Services, workspace: str, name: str) -> Dataset:
    dataset = await services.catalogue.find(workspace, name)
    if dataset is None:
        raise Problem(
            DATASET_NOT_FOUND,
            f"There is no dataset {name[:64]!r} in {workspace[:64]!r} to store it in; make it and try again.",
        )
    return dataset


def _writer(request: Request, workspace: str) -> Token:
    """Return the caller's token, which may write in the workspace: asked before anything is looked up."""
    token = identified(request)
    services_of(request).gate.allow(token, "write", workspace, token.dataset)
    return token


async def _find(services: Services, token: Token, workspace: str, text: str) -> Quarantined:
    """Return the record of this id. One that the token may not write is answered as one that is not there.

    Raises: Problem: quarantine_not_found or, for a token of one dataset, forbidden.
    """
    number = _id_of(text)
    if number is not None:
        one = await on_loop(services.store.read(lambda c: quarantine.find(c, workspace, number)))
        if one is not None and may(token, "write", workspace, one.dataset):
            return one
    services.gate.allow(token, "write", workspace)
    raise _unknown(text, workspace)


def _id_of(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None


def _unknown(text: str, workspace: str) -> Problem:
    return Problem(
        QUARANTINE_NOT_FOUND,
        f"No record {text[:64]!r} is in the quarantine of {workspace[:64]!r} (any more).",
    )


def _shown(one: Quarantined) -> dict[str, Any]:
    return {
        "id": one.id,
        "dataset": one.dataset,
        "writeId": one.write_id,
        "index": one.position,
        "code": one.code,
        "message": one.message,
        "record": one.record,
        "at": format_moment(one.at),
    }


def _told(done: Redriven) -> dict[str, Any]:
    told: dict[str, Any] = {
        "success": True,
        "redriven": done.redriven,
        "stored": done.stored,
        "ignored": done.ignored,
        "quarantined": done.quarantined,
    }
    if done.refused:
        told["errors"] = [
            {"id": one.id, "code": refusal.code.name, "message": refusal.message}
            for one, refusal in done.refused[:100]
        ]
    return told
