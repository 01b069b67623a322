"""What InfluxDB's clients ask besides writing: is it there, which buckets, and please make a database."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from api.described import answers, extra, own_refusals, query
from api.entry.answer import Answer, encode
from api.entry.caller import body_of, params_of, services_of
from api.influx.answers import HEADERS, v1_answer, v2_answer
from api.influx.params import identifier, organization_asked, own_workspace
from rules.errors import BAD_PARAMETER, Problem
from rules.names import fold
from rules.schema.dataset import Dataset
from rules.token import Token

router = APIRouter(tags=["influxdb"])

_CREATE: Final = re.compile(r'\s*CREATE\s+DATABASE\s+(?:"(?:[^"\\]|\\.)+"|[^\s;"]+)[^;]*;?\s*', re.IGNORECASE)
_MADE: Final = {"results": [{"statement_id": 0}]}
_KEPT: Final[dict[str, Any]] = {"type": "user", "retentionRules": []}
"""What clients demand of a bucket besides: somebody made it, and what is in it is kept."""

_BUCKET: Final = {"id": "0f3c2d1e4b5a6978", "name": "telegraf", "orgID": "8a7b6c5d4e3f2a1b", **_KEPT}
_ORG: Final = {"id": "8a7b6c5d4e3f2a1b", "name": "acme"}
_PAGE: Final = 1_000
MOST_SKIPPED: Final = 1_000_000


_V2: Final = own_refusals(
    "Refused, in InfluxDB 2's words.", {"code": "unauthorized", "message": "Send a token."}
)
_V1: Final = own_refusals("Refused, in InfluxDB 1's words.", {"error": "Send a token."})


@router.get("/ping", status_code=204, responses=answers(204, "It is there; the headers say what it is."))
async def ping() -> Response:
    """Say that somebody is there, with the version of InfluxDB's API that callers may expect."""
    return _response(Answer(204, b"", HEADERS))


@router.get(
    "/api/v2/buckets",
    openapi_extra=extra(
        query("org", "The organization, which is the workspace; or `orgID`."),
        query("name", "Only the bucket of this name."),
        query("limit", "How many.", "integer", minimum=1, maximum=_PAGE, default=_PAGE),
        query("offset", "How many are left out before.", "integer", minimum=0, default=0),
        query("after", "The id of the bucket behind which the list begins; instead of `offset`."),
    ),
    responses=answers(
        200,
        "The buckets that were written to.",
        {"links": {"self": "/api/v2/buckets?limit=1000&offset=0"}, "buckets": [_BUCKET]},
    )
    | _V2,
)
async def buckets(request: Request) -> Response:
    """List the buckets of an organization: those that points were written to."""
    try:
        params, token = params_of(request), _caller(request)
        known = services_of(request).catalogue.every()
        wanted = params.text("org") or params.text("orgID")
        workspace = organization_asked(params, token, lambda: _names(known)) if wanted else token.workspace
        if token.workspace is not None or workspace is not None:
            services_of(request).gate.allow(token, "read", workspace)
        name, after = params.text("name"), params.text("after")
        begin, most = params.whole("offset", 0, 0, MOST_SKIPPED), params.whole("limit", _PAGE, 1, _PAGE)
        found = sorted(
            {
                (dataset.workspace, dataset.labels["bucket"])
                for dataset in known
                if "bucket" in dataset.labels
                and (workspace is None or fold(dataset.workspace) == fold(workspace))
                and name in (None, "", dataset.labels["bucket"])
            }
        )
    except Problem as problem:
        return _refused(problem)
    ids = [identifier(bucket, "bucket") for _, bucket in found]
    begin = ids.index(after) + 1 if after in ids else begin
    shown = [
        {"id": identifier(bucket, "bucket"), "name": bucket, "orgID": identifier(org), **_KEPT}
        for org, bucket in found[begin : begin + most]
    ]
    links = {"self": _page(begin, most)}
    if begin + most < len(found):
        links["next"] = _page(begin + most, most)
    return _response(Answer(200, encode({"links": links, "buckets": shown}), HEADERS))


@router.get(
    "/api/v2/orgs",
    openapi_extra=extra(query("org", "Only the organization of this name.")),
    responses=answers(200, "The organizations that the token may see.", {"orgs": [_ORG]}) | _V2,
)
async def organizations(request: Request) -> Response:
    """List the organizations, which are the workspaces: the token's own, an administrator's all."""
    try:
        params, token = params_of(request), _caller(request)
        known = services_of(request).catalogue.every()
        names = _names(known) if token.workspace is None else [token.workspace]
        services_of(request).gate.allow(token, "read", token.workspace, token.dataset)
        wanted = params.text("org")
    except Problem as problem:
        return _refused(problem)
    shown = [{"id": identifier(n), "name": n} for n in names if not wanted or fold(n) == fold(wanted)]
    return _response(Answer(200, encode({"orgs": shown[:_PAGE]}), HEADERS))


@router.post(
    "/query",
    openapi_extra=extra(query("q", "The statement; it may stand in a form in the body instead.")),
    responses=answers(200, "As if it had been made: a bucket is made by the first write to it.", _MADE) | _V1,
)
async def statement(request: Request) -> Response:
    """Answer `CREATE DATABASE`, which InfluxDB 1's clients ask before they write. Other statements are not
    taken.
    """
    try:
        token = _caller(request, v1=True)
        workspace = own_workspace(token)
        services_of(request).gate.allow(token, "write", workspace, token.dataset)
        params = params_of(request)
        given = params.text("q")
        if given is None:
            body = await body_of(request, workspace)
            pairs = dict(parse_qsl(body[:10_000].decode("latin-1"), max_num_fields=20))
            given = pairs.get("q", "")
        if not _CREATE.fullmatch(given[:1_000]):
            raise Problem(
                BAD_PARAMETER,
                "error parsing query: only CREATE DATABASE is taken here; read with GET /v1/data",
            )
    except (Problem, ValueError) as error:
        known = error if isinstance(error, Problem) else Problem(BAD_PARAMETER, "the form can't be read")
        return _response(v1_answer(known.code.status, known.detail, ()))
    return _response(Answer(200, encode(_MADE), HEADERS))


def _page(offset: int, limit: int) -> str:
    return f"/api/v2/buckets?limit={limit}&offset={offset}"


def _caller(request: Request, *, v1: bool = False) -> Token:
    headers, given = dict(request.scope["headers"]), request.scope["query_string"]
    return services_of(request).gate.identify(headers, given, passwords=v1)


def _names(known: list[Dataset]) -> list[str]:
    by_folded = {fold(dataset.workspace): dataset.workspace for dataset in known}
    return [by_folded[name] for name in sorted(by_folded)]


def _refused(problem: Problem) -> Response:
    return _response(v2_answer(problem.code.status, problem.detail, {}, ()))


def _response(answer: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    if answer.status != 204:
        headers["content-type"] = answer.content_type[1].decode()
    return Response(answer.body, answer.status, headers)
