"""`POST /dataload/postdata`: Qrvey's Data Router. A body is a job; `/v1/postdata` takes the older array."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from api.batch.loads import Wanted
from api.batch.upload import CHUNK, Upload, take
from api.decode.texts import BOM, words_of
from api.described import IDEMPOTENCY_KEY, Words, answers, extra
from api.entry.body import receive_body
from api.entry.caller import asked, identified, params_of, services_of
from api.entry.params import Params
from api.lane.once import keyed
from api.services import Services
from api.v1.render import reply
from rules.envelope import Handling
from rules.errors import BAD_JSON, BAD_PARAMETER, BAD_REQUEST, DATASET_NOT_FOUND, Problem
from rules.job import TITLE, Definition, Job, Source
from rules.limits import MB, Limits
from rules.names import DEFAULT_WORKSPACE, dataset_name, fold, workspace_name
from rules.token import Token, may

router = APIRouter(tags=["qrvey"])

MEMBERS: Final = 100
"""Members that a body of the older form may have."""

UNTOLD: Final = MB
SHRUNK: Final = 20
"""Bytes that a body of unknown length is expected to have, and how many times its length a compressed one."""

_METHODS: Final = {"upsert": Handling.MERGE, "replace": Handling.REPLACE}
_JOB: Final = "825ec7a0-1f48-11ee-9c29-5f7a08107b15"
_BODY: Final = {
    "datasetId": "acme.users",
    "documentUpdateMethod": "upsert",
    "data": [{"ID": "1000101", "TENANT_ID": "1000", "STATUS": "ACTIVE"}],
}


class Posted(msgspec.Struct):
    """One body, or one member of the older array, whose `data` is not looked at here."""

    data: msgspec.Raw
    dataset_id: Any = msgspec.field(default=None, name="datasetId")
    metadata_id: Any = msgspec.field(default=None, name="metadataId")
    method: Any = msgspec.field(default="upsert", name="documentUpdateMethod")


class _Member(msgspec.Struct, frozen=True):
    name: str
    workspace: str
    dataset: str
    handling: Handling
    data: msgspec.Raw


_one: Final = msgspec.json.Decoder(Posted).decode
_several: Final = msgspec.json.Decoder(list[Posted]).decode


def _told(example: Any) -> Words:
    schema: Words = {"type": "array" if isinstance(example, list) else "object"}
    content = {"application/json": {"schema": schema, "example": example}}
    return {**extra(IDEMPOTENCY_KEY), "requestBody": {"required": True, "content": content}}


_MADE: Final = answers(200, "The records are durable, and a job has been made of them.", {"jobId": _JOB})


@router.post("/dataload/postdata", openapi_extra=_told(_BODY), responses=_MADE)
async def post(request: Request) -> Response:
    """Insert or update the records of `data` by the dataset's key, as a job. Needs the scope `write`.

    `upsert` puts the fields given over the stored ones, `replace` replaces the record.
    """
    return await _post(request, older=False)


@router.post("/Prod/dataload/postdata", openapi_extra=_told(_BODY), responses=_MADE)
async def post_prod(request: Request) -> Response:
    """Do what `/dataload/postdata` does, under the path that Qrvey's clients have."""
    return await _post(request, older=False)


_OLDER: Final = [{"metadataId": "acme.users", "data": _BODY["data"]}]


@router.post("/dataload/v1/postdata", openapi_extra=_told(_OLDER), responses=_MADE)
async def post_older(request: Request) -> Response:
    """Take the older form: an array whose members name their dataset as `metadataId`; one job for all."""
    return await _post(request, older=True)


@router.post("/Prod/dataload/v1/postdata", openapi_extra=_told(_OLDER), responses=_MADE)
async def post_older_prod(request: Request) -> Response:
    """Do what `/dataload/v1/postdata` does, under the path that Qrvey's clients have."""
    return await _post(request, older=True)


async def _post(request: Request, *, older: bool) -> Response:
    params, token = params_of(request), identified(request)
    with services_of(request).loads.quota.counting(token.id, dict(request.scope["headers"])) as counted:
        job, counted.size = await _made(request, params, token, older=older)
    return reply({"jobId": str(uuid.UUID(job.id))}, headers=params.ignored)


async def _made(request: Request, params: Params, token: Token, *, older: bool) -> tuple[Job, int]:
    """Return the job of a body, and how many bytes that has. Raises: Problem."""
    services, home = services_of(request), token.workspace or DEFAULT_WORKSPACE
    loads, limits = services.loads, services.limits
    await loads.room(home)
    headers = dict(request.scope["headers"])
    async with loads.uploads.begin(home, held=True) as upload:
        held = services.inflight.reserving(home)
        await take(held.reserve, _expected(headers, limits))
        try:
            body = await receive_body(request.receive, headers, held, limits.wire_bytes, limits.body_bytes)
            members = [await _member(services, token, home, each) for each in _read(body, older=older)]
            workspace = _single_workspace(members, home)
            if fold(workspace) != fold(home):
                await loads.room(workspace)
            key = keyed(asked(request, token, params), workspace, body, limits)
            sources = [await _source(upload, member) for member in members]
            definition = Definition(upload.partition, sources)
            title = ",".join(dict.fromkeys(member.name for member in members))[:TITLE]
            job = await loads.make(Wanted(workspace, definition, title), key, services.clock())
        finally:
            held.release()
    return job, len(body)


def _expected(headers: Mapping[bytes, bytes], limits: Limits) -> int:
    """Return the bytes that a body may be expected to have in memory; where it has more, it takes more."""
    given = headers.get(b"content-length", b"")
    declared = int(given) if given.isdigit() else 0
    if given.isdigit() and headers.get(b"content-encoding") is None:
        return min(declared, limits.wire_bytes)
    return min(max(UNTOLD, declared * SHRUNK), limits.body_bytes)


def _read(body: bytes, *, older: bool) -> Sequence[Posted]:
    """Return the members of a body. Raises: Problem(bad_json, bad_request)."""
    body = body.removeprefix(BOM)
    try:
        posted = _several(body) if older else [_one(body)]
    except msgspec.ValidationError as error:
        form = '[{"metadataId": …, "data": […]}]' if older else '{"datasetId": …, "data": […]}'
        raise Problem(BAD_REQUEST, f"The body must be {form}: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(BAD_JSON, words_of(error, body)[1]) from error
    if not 1 <= len(posted) <= MEMBERS:
        raise Problem(BAD_REQUEST, f"The array has {len(posted)} members; 1 to {MEMBERS} are taken.")
    return posted


async def _member(services: Services, token: Token, home: str, posted: Posted) -> _Member:
    """Return what one member asks for. Raises: Problem."""
    name = posted.dataset_id if posted.dataset_id is not None else posted.metadata_id
    if not isinstance(name, str) or not name:
        raise Problem(BAD_REQUEST, "datasetId must be the dataset's name, alone or as workspace.dataset.")
    if bytes(memoryview(posted.data)[:1]) != b"[":
        raise Problem(BAD_REQUEST, "data must be an array of records.")
    handling = _METHODS.get(posted.method) if isinstance(posted.method, str) else None
    if handling is None:
        raise Problem(
            BAD_PARAMETER, f"documentUpdateMethod={posted.method!r:.60} is none of upsert, replace."
        )
    before, dot, after = name.partition(".")
    workspace, dataset = (before, after) if dot else (home, name)
    workspace_name(workspace)
    dataset_name(dataset)
    if fold(workspace) == fold(token.workspace or "") and not may(token, "write", workspace, dataset):
        # of another workspace nothing is looked up, so that the answer tells nothing of it
        known = await services.catalogue.find(workspace, dataset)
        if known is None:
            raise Problem(DATASET_NOT_FOUND, f"There is no dataset {name[:130]!r}.")
    services.gate.allow(token, "write", workspace, dataset)
    return _Member(name, workspace, dataset, handling, posted.data)


def _single_workspace(members: Sequence[_Member], home: str) -> str:
    names = {member.workspace.lower() for member in members}
    if len(names) > 1:
        raise Problem(BAD_REQUEST, "The members of one body must be of one workspace; send them apart.")
    return members[0].workspace if members else home


async def _source(upload: Upload, member: _Member) -> Source:
    """Put a member's records into the log."""
    data = memoryview(member.data)
    for begin in range(0, len(data), CHUNK):
        await upload.add(bytes(data[begin : begin + CHUNK]))
    uploaded = await upload.end()
    return Source(member.dataset, member.name, member.handling, uploaded.runs, uploaded.size)
