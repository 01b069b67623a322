"""`/v1/data/{workspace}/{dataset}[/{key}[/{subkey}]]`: stored records, asked for and deleted."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api.described import IDEMPOTENCY_KEY, TIMEOUT, answers, extra
from api.entry.answer import encode
from api.entry.caller import caller, params_of, services_of
from api.entry.params import Params
from api.lane.barrier import Chosen, delete
from api.lane.door import Request as DoorRequest
from api.services import Services
from api.v1.asked import QUERY, RANGE, WHERE, Asked, condition_of, fields_of, pages_of, read_asked
from api.v1.render import PAGE_BYTES, form_of, plain, render, reply
from api.v1.selection import Address, address_of, select_in, span_of
from rules.errors import BAD_PARAMETER, DATASET_NOT_FOUND, Problem
from rules.names import fold
from rules.schema.dataset import Dataset
from storage import datasets
from storage.bounded import ROWS, Bound, TooMuch
from storage.query import page
from storage.removal import to_look_at

router = APIRouter(tags=["data"])

_QUERIED: Final = answers(
    200,
    "The records: an array, or lines, or a table. An absent field is null.",
    [
        {
            "symbol": "ABC",
            "price": 18.5,
            "_id": "00010002000000000000002a00000000",
            "_time": "2026-11-21T13:05:00Z",
        }
    ],
)
_QUERIED[200]["content"] |= {
    "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"symbol": "ABC", "price": 18.5}\n'},
    "text/csv": {"schema": {"type": "string"}, "example": "symbol,price\r\nABC,18.5\r\n"},
}
_DELETE: Final = extra(*RANGE, WHERE, TIMEOUT, IDEMPOTENCY_KEY)
_TAKEN: Final = ("from", "to", "on", "range", "where", "timeout")
_DELETED: Final = answers(
    200,
    "They are deleted.",
    {"success": True, "deleted": 3, "writeId": "0000000100000193000000005f1c2d3e"},
)


@router.get("/v1/data/{workspace}/{dataset}", openapi_extra=QUERY, responses=_QUERIED)
@router.get("/v1/data/{workspace}/{dataset}/{key}", openapi_extra=QUERY, responses=_QUERIED)
@router.get("/v1/data/{workspace}/{dataset}/{key}/{subkey:path}", openapi_extra=QUERY, responses=_QUERIED)
async def ask(request: Request) -> Response:
    """Return the records of a dataset, of a key, of a range of time; newest first, in stable pages.

    Times stand against the dataset's date column, or `_time` (arrival) where it has none. Several keys, and
    several datasets of one workspace, stand with commas between them: then the answer is an object, of each
    dataset the records of its keys in their order. A slash within a key is written %2F, a comma %2C.
    """
    address = address_of(request)
    for name in address.datasets:
        caller(request, "read", address.workspace, name)
    services, params = services_of(request), params_of(request)
    asked = read_asked(params, address, services.clock())

    def body(c: Connection, bound: Bound) -> tuple[bytes, str]:
        if address.several:
            return _by_dataset(c, bound, address, asked, services), "application/json"
        dataset = _dataset(c, address.workspace, address.datasets[0])
        fields = fields_of(dataset, asked.fields)
        form = form_of(asked.format, fields)
        (wanted,) = pages_of(dataset, address, asked, services.limits)
        return render(form, page(c, dataset, wanted, fields, bound), turned=asked.turned), form.media_type

    run = services.queries.look if asked.where is None else services.queries.search
    content, media_type = await run(body)
    return plain(content, media_type, params.ignored)


@router.delete("/v1/data/{workspace}/{dataset}", openapi_extra=_DELETE, responses=_DELETED)
@router.delete("/v1/data/{workspace}/{dataset}/{key}", openapi_extra=_DELETE, responses=_DELETED)
@router.delete(
    "/v1/data/{workspace}/{dataset}/{key}/{subkey:path}", openapi_extra=_DELETE, responses=_DELETED
)
async def remove(request: Request) -> Response:
    """Delete the records of a key, of several keys (with commas between them), of a range of time, or those
    that a condition selects; where more than one is given, those that all mean.

    It takes its place among the writes: what was written before it goes, nothing after. It always waits.
    A parameter that is not known is refused, because without it more would be deleted than was meant.
    """
    address = address_of(request)
    token = caller(request, "write", address.workspace, address.datasets[0])
    services, params = services_of(request), params_of(request)
    span = span_of(params, services.clock())
    where = params.text("where")
    timeout = params.number("timeout", 10.0, 0.1, 60.0)
    _refuse_unclear(address, params)
    if not address.keys and not span.given and where is None:
        raise Problem(
            BAD_PARAMETER, "Name a key in the path, a range, or a condition in where: what shall be deleted?"
        )
    dataset = await services.catalogue.find(address.workspace, address.datasets[0])
    if dataset is None:
        raise _no_dataset(address.workspace, address.datasets[0])

    def choose(at: int) -> Chosen:
        return select_in(dataset, address.keys, span_of(params, at))._replace(where=where or "")

    chosen = choose(services.clock())
    if where is not None:
        await _ensure_bounded(services, dataset, chosen)
    scope = request.scope
    like_a_write = DoorRequest(
        request.method, address.raw, dict(scope["headers"]), scope["query_string"], params, token
    )
    done = await delete(services, like_a_write, dataset, choose, timeout)
    return reply({"success": True, "deleted": done.deleted, "writeId": done.write_id})


def _by_dataset(c: Connection, bound: Bound, address: Address, asked: Asked, services: Services) -> bytes:
    """Return `{dataset: [records]}`: of each dataset the pages of its keys, one behind the other."""
    members: list[bytes] = []
    left = PAGE_BYTES
    for name in _once(address.datasets):
        dataset = _dataset(c, address.workspace, name)
        fields = fields_of(dataset, asked.fields)
        pieces: list[bytes] = []
        for wanted in pages_of(dataset, address, asked, services.limits):
            records = page(c, dataset, wanted, fields, bound)
            piece = render(form_of("json", fields), records, turned=asked.turned, most=left)
            left -= len(piece)
            pieces += [piece[1:-1]] if len(piece) > 2 else []
        members.append(encode(name) + b":[" + b",".join(pieces) + b"]")
    return b"{" + b",".join(members) + b"}"


def _once(names: Iterable[str]) -> Iterator[str]:
    """Yield names that differ in more than case, as they were spelled first."""
    seen: set[str] = set()
    for name in names:
        if fold(name) not in seen:
            seen.add(fold(name))
            yield name


async def _ensure_bounded(services: Services, dataset: Dataset, chosen: Chosen) -> None:
    """Refuse a condition that is none, or for which too many records would have to be looked at one by one.

    Raises: Problem: bad_parameter, scan_limit, overloaded, query_too_slow.
    """

    def body(c: Connection, _: Bound) -> None:
        now = _dataset(c, dataset.workspace, dataset.name)  # its table may have another form than we know
        where = condition_of(chosen.where, now, services.limits)
        if to_look_at(c, now, chosen.keys, chosen.begin, chosen.end, where, ROWS) > ROWS:
            raise TooMuch(ROWS)

    await services.queries.search(body)


def _refuse_unclear(address: Address, params: Params) -> None:
    if len(address.datasets) > 1:
        raise Problem(BAD_PARAMETER, "A delete takes one dataset, several keys; nothing was deleted.")
    unknown: list[Any] = params.everything_but(*_TAKEN)
    if unknown:
        raise Problem(
            BAD_PARAMETER,
            f"A delete takes {', '.join(_TAKEN)}, not {unknown[0][0][:60]!r}; nothing was deleted.",
        )


def _dataset(c: Connection, workspace: str, name: str) -> Dataset:
    dataset = datasets.find(c, workspace, name)
    if dataset is None:
        raise _no_dataset(workspace, name)
    return dataset


def _no_dataset(workspace: str, name: str) -> Problem:
    return Problem(DATASET_NOT_FOUND, f"There is no dataset {name[:64]!r} in {workspace[:64]!r}.")
