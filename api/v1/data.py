"""`/v1/data/{workspace}/{dataset}[/{key}[/{subkey}]]`: stored records, asked for and deleted."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api.described import IDEMPOTENCY_KEY, TIMEOUT, answers, extra, query
from api.entry.caller import caller, params_of, services_of
from api.entry.params import Params
from api.lane.barrier import delete
from api.lane.door import Request as DoorRequest
from api.v1.render import FORMATS, form_of, plain, render, reply
from api.v1.selection import Span, address_of, select_in, span_of
from rules.errors import BAD_PARAMETER, DATASET_NOT_FOUND, Problem
from rules.schema.dataset import Dataset
from storage import datasets
from storage.query import Page, page, shown_fields
from streams.awaiting import on_loop

router = APIRouter(tags=["data"])

OFFSET: Final = 10_000_000
_DEFAULT: Final = 100

_RANGE: Final = (
    query("from", "From here on: RFC 3339, a date, or milliseconds since 1970."),
    query("to", "Up to here, inclusive; a date alone means its whole day, in UTC."),
)
_QUERY: Final = extra(
    query("last", "The newest n records.", "integer", minimum=1, maximum=10_000),
    query("first", "The oldest n records, oldest first.", "integer", minimum=1, maximum=10_000),
    query(
        "limit",
        "How many records a page has: 1 with a key and no range, else 100.",
        "integer",
        minimum=1,
        maximum=10_000,
    ),
    query("offset", "How many records to pass over first.", "integer", minimum=0, maximum=OFFSET, default=0),
    *_RANGE,
    query("sort", "desc: newest first. asc: oldest first.", enum=["desc", "asc"]),
    query("filter", "The columns to show, with commas between; all unless given."),
    query("format", "How records come.", enum=list(FORMATS), default="json"),
)
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
_DELETE: Final = extra(*_RANGE, TIMEOUT, IDEMPOTENCY_KEY)
_DELETED: Final = answers(
    200,
    "They are deleted.",
    {"success": True, "deleted": 3, "writeId": "0000000100000193000000005f1c2d3e"},
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the query parameters ask for, before the dataset is known. `sort` is how records are shown."""

    last: int | None
    first: int | None
    limit: int | None
    offset: int
    span: Span
    sort: Literal["asc", "desc"]
    fields: tuple[str, ...]
    format: str

    @property
    def oldest(self) -> bool:
        """Whether the oldest records are the ones meant."""
        return self.first is not None or (self.last is None and self.sort == "asc")


@router.get("/v1/data/{workspace}/{dataset}", openapi_extra=_QUERY, responses=_QUERIED)
@router.get("/v1/data/{workspace}/{dataset}/{key}", openapi_extra=_QUERY, responses=_QUERIED)
@router.get("/v1/data/{workspace}/{dataset}/{key}/{subkey:path}", openapi_extra=_QUERY, responses=_QUERIED)
async def ask(request: Request) -> Response:
    """Return the records of a dataset, of a key, of a range of time; newest first, in stable pages.

    Times stand against the dataset's date column, or `_time` (arrival) where it has none. A slash within
    a key is written %2F.
    """
    address = address_of(request)
    caller(request, "read", address.workspace, address.dataset)
    params = params_of(request)
    asked = _asked(params)

    def body(c: Connection) -> tuple[bytes, str]:
        dataset = datasets.find(c, address.workspace, address.dataset)
        if dataset is None:
            raise _no_dataset(address.workspace, address.dataset)
        fields = _fields(dataset, asked.fields)
        form = form_of(asked.format, fields)
        records = page(c, dataset, _page(dataset, address.keys, asked), fields)
        turned = asked.oldest != (asked.sort == "asc")
        return render(form, records, turned=turned), form.media_type

    content, media_type = await on_loop(services_of(request).store.read(body))
    return plain(content, media_type, params.ignored)


@router.delete("/v1/data/{workspace}/{dataset}", openapi_extra=_DELETE, responses=_DELETED)
@router.delete("/v1/data/{workspace}/{dataset}/{key}", openapi_extra=_DELETE, responses=_DELETED)
@router.delete(
    "/v1/data/{workspace}/{dataset}/{key}/{subkey:path}", openapi_extra=_DELETE, responses=_DELETED
)
async def remove(request: Request) -> Response:
    """Delete the records of a key, of a range of time, or of a key within a range.

    It takes its place among the writes: what was written before it goes, nothing after. It always waits.
    A parameter that is not known is refused, because without it more would be deleted than was meant.
    """
    address = address_of(request)
    token = caller(request, "write", address.workspace, address.dataset)
    params = params_of(request)
    span = span_of(params)
    timeout = params.number("timeout", 10.0, 0.1, 60.0)
    _refuse_unknown(params)
    if not address.keys and not span.given:
        raise Problem(BAD_PARAMETER, "Name a key in the path, or from, or to: what shall be deleted?")
    services = services_of(request)
    dataset = await services.catalogue.find(address.workspace, address.dataset)
    if dataset is None:
        raise _no_dataset(address.workspace, address.dataset)
    scope = request.scope
    like_a_write = DoorRequest(
        request.method, address.raw, dict(scope["headers"]), scope["query_string"], params, token
    )
    chosen = select_in(dataset, address.keys, span)
    done = await delete(services, like_a_write, dataset, chosen, timeout)
    return reply({"success": True, "deleted": done.deleted, "writeId": done.write_id})


def _asked(params: Params) -> _Asked:
    """Read the query parameters. Raises: Problem(bad_parameter)."""
    counts = {name: _count(params, name) for name in ("last", "first", "limit")}
    given = [name for name, value in counts.items() if value is not None]
    if len(given) > 1:
        raise Problem(BAD_PARAMETER, f"{' and '.join(given)} say the same thing twice; keep one.")
    shown = params.text("filter") or ""
    sort = params.choice("sort", ("asc", "desc"), "desc" if counts["first"] is None else "asc")
    return _Asked(
        **counts,
        offset=params.whole("offset", 0, 0, OFFSET),
        span=span_of(params),
        sort="asc" if sort == "asc" else "desc",
        fields=tuple(dict.fromkeys(name for name in shown.split(",") if name)),
        format=params.choice("format", FORMATS, "json"),
    )


def _count(params: Params, name: str) -> int | None:
    return None if params.text(name) is None else params.whole(name, 1, 1, 10_000)


def _fields(dataset: Dataset, wanted: tuple[str, ...]) -> list[str]:
    known = shown_fields(dataset)
    for name in wanted:
        if name not in known:
            raise Problem(
                BAD_PARAMETER, f"filter names {name[:60]!r}, which {dataset.name!r} has no column for."
            )
    return list(wanted) or known


def _page(dataset: Dataset, keys: tuple[str, ...], asked: _Asked) -> Page:
    chosen = select_in(dataset, keys, asked.span)
    default = 1 if keys and not asked.span.given else _DEFAULT
    given = (count for count in (asked.last, asked.first, asked.limit) if count is not None)
    return Page(
        limit=next(given, default),
        offset=asked.offset,
        key=tuple(chosen.key),
        begin=chosen.begin,
        end=chosen.end,
        oldest_first=asked.oldest,
    )


def _refuse_unknown(params: Params) -> None:
    unknown: list[Any] = params.everything_but("from", "to", "timeout")
    if unknown:
        raise Problem(
            BAD_PARAMETER,
            f"A delete takes from, to and timeout, not {unknown[0][0][:60]!r}; nothing was deleted.",
        )


def _no_dataset(workspace: str, name: str) -> Problem:
    return Problem(DATASET_NOT_FOUND, f"There is no dataset {name[:64]!r} in {workspace[:64]!r}.")
