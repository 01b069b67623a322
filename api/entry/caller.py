"""The caller of a FastAPI endpoint: who it is, its parameters, its body, what serves it."""

from typing import Any, Final, cast

from fastapi import Request

from api.decode.records import parse_json
from api.entry.body import receive_body
from api.entry.params import Params
from api.lane.door import Request as LaneRequest
from api.services import Services
from rules.errors import BAD_JSON, Problem
from rules.limits import MB
from rules.token import Scope, Token

SAID: Final = 1 * MB
"""The largest body, decompressed, of a request that says something and brings no records."""


def services_of(request: Request) -> Services:
    """Return what the application is made of."""
    return cast(Services, request.app.state.services)


def identified(request: Request) -> Token:
    """Return the caller's token, whatever it may do: for where rights depend on what is asked for.

    Raises: Problem(no_token, bad_token).
    """
    scope = request.scope
    return services_of(request).gate.identify(dict(scope["headers"]), scope["query_string"])


def caller(request: Request, scope: Scope, workspace: str | None, dataset: str | None = None) -> Token:
    """Return the caller's token, which has the right to `scope` there.

    Raises: Problem(no_token, bad_token, forbidden).
    """
    token = identified(request)
    services_of(request).gate.allow(token, scope, workspace, dataset)
    return token


def still_may(request: Request, scope: Scope, workspace: str | None, dataset: str | None = None) -> bool:
    """Return whether the caller has its right yet: tokens are revoked and expire while a stream is open."""
    try:
        caller(request, scope, workspace, dataset)
    except Problem:
        return False
    return True


def params_of(request: Request) -> Params:
    """Return the request's query parameters."""
    params = request.state.params = Params(request.scope["query_string"])
    return params


def asked(request: Request, token: Token, params: Params) -> LaneRequest:
    """Return the request as the lane's steps know it."""
    scope = request.scope
    headers = dict(scope["headers"])
    return LaneRequest(scope["method"], scope["path"], headers, scope["query_string"], params, token)


async def body_of(request: Request, workspace: str, most: int | None = None) -> bytes:
    """Return the request's body, under the same limits as a write's, or of at most so many bytes.

    Raises: Problem.
    """
    services = services_of(request)
    held = services.inflight.hold(workspace, 0)
    try:
        limits = services.limits
        headers = dict(request.scope["headers"])
        wire, whole = (limits.wire_bytes, limits.body_bytes) if most is None else (most, most)
        return await receive_body(request.receive, headers, held, wire, whole)
    finally:
        held.release()


async def json_of(request: Request, workspace: str, default: Any = None, most: int = SAID) -> Any:
    """Return the request's JSON body; `default`, if one is given, where it is empty.

    It is read on the loop, so it may have `most` bytes. Raises: Problem(bad_json, body_too_large).
    """
    body = await body_of(request, workspace, most)
    if not body.strip() and default is not None:
        return default
    return parse_json(body)


def object_of(value: Any, what: str) -> dict[str, Any]:
    """Return a JSON value that must be an object.

    Raises: Problem(bad_json).
    """
    if not isinstance(value, dict):
        raise Problem(BAD_JSON, f"The body must be a JSON object: {what}.")
    return value
