"""`/v1/data/{workspace}/{dataset}[/{key}[/{subkey}]]`: stored records, asked for."""

from typing import Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api.described import answers
from api.entry.answer import encode
from api.entry.caller import caller, params_of, services_of
from api.services import Services
from api.v1.asked import QUERY, Asked, fields_of, pages_of, read_asked
from api.v1.render import PAGE_BYTES, form_of, plain, render
from api.v1.selection import Address, address_of
from rules.errors import DATASET_NOT_FOUND, Problem
from rules.schema.dataset import Dataset
from storage import datasets
from storage.bounded import Bound
from storage.query import page

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
        dataset = stored_dataset(c, address.workspace, address.datasets[0])
        fields = fields_of(dataset, asked.fields)
        form = form_of(asked.format, fields)
        (wanted,) = pages_of(dataset, address, asked, services.limits)
        return render(form, page(c, dataset, wanted, fields, bound), turned=asked.turned), form.media_type

    run = services.queries.look if asked.where is None else services.queries.search
    content, media_type = await run(body)
    return plain(content, media_type, params.ignored)


def _by_dataset(c: Connection, bound: Bound, address: Address, asked: Asked, services: Services) -> bytes:
    """Return `{dataset: [records]}`: of each dataset the pages of its keys, one behind the other."""
    members: list[bytes] = []
    left = PAGE_BYTES
    for name in address.datasets:
        dataset = stored_dataset(c, address.workspace, name)
        fields = fields_of(dataset, asked.fields)
        pieces: list[bytes] = []
        for wanted in pages_of(dataset, address, asked, services.limits):
            records = page(c, dataset, wanted, fields, bound)
            piece = render(form_of("json", fields), records, turned=asked.turned, most=left)
            left -= len(piece)
            pieces += [piece[1:-1]] if len(piece) > 2 else []
        members.append(encode(name) + b":[" + b",".join(pieces) + b"]")
    return b"{" + b",".join(members) + b"}"


def stored_dataset(c: Connection, workspace: str, name: str) -> Dataset:
    """Return a dataset as it is stored now. Raises: Problem(dataset_not_found)."""
    dataset = datasets.find(c, workspace, name)
    if dataset is None:
        raise no_dataset(workspace, name)
    return dataset


def no_dataset(workspace: str, name: str) -> Problem:
    """Return what somebody is told who names a dataset that there is not."""
    return Problem(DATASET_NOT_FOUND, f"There is no dataset {name[:64]!r} in {workspace[:64]!r}.")
