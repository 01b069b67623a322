"""Who asks at the rules paths of Apperate, whose callers put their token into the body of a POST."""

from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request

from api.decode.records import parse_json
from api.entry.body import receive_body
from api.entry.caller import identified, object_of, params_of, services_of
from api.entry.credentials import secret_of
from api.entry.params import Params
from api.services import Services
from rules.alerting.fields import text
from rules.errors import BAD_REQUEST, Problem
from rules.limits import KB
from rules.names import DEFAULT_WORKSPACE, workspace_name
from rules.token import Scope, Token

LARGEST: Final = 256 * KB
"""Bytes of a body. It is read before anybody knows whose it is, so it may hold little."""
_NOBODY: Final = "_nobody"
"""Whose bytes in flight those are: no workspace has this name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose caller is known; `body` is without its token."""

    services: Services
    token: Token
    params: Params
    body: dict[str, Any]
    home: str

    def workspace(self, named: str | None) -> str:
        """Return the workspace that is meant: the one named, else the caller's."""
        return self.home if named is None else named


async def read_body(request: Request) -> Asked:
    """Return what a POST asks, and who. A token in a header or the query goes before one in the body.

    Raises: Problem.
    """
    services, headers = services_of(request), dict(request.scope["headers"])
    outside = secret_of(headers, request.scope["query_string"]) is not None
    token = identified(request) if outside else None
    held = services.inflight.hold(_NOBODY, 0)
    try:
        raw = await receive_body(request.receive, headers, held, LARGEST, LARGEST)
    finally:
        held.release()
    if token is None:
        token = services.gate.known(_secret(raw))
    body = object_of(parse_json(raw), "a rule, or its ruleId")
    body.pop("token", None)
    named = text(body, "workspace", BAD_REQUEST, most=64, fallback="") or None
    return Asked(services, token, params_of(request), body, _home(token, named))


def _secret(raw: bytes) -> str | None:
    """Return the token in a body; None where it is none, or holds none."""
    try:
        body = parse_json(raw)
    except Problem:
        return None
    given = body.get("token") if isinstance(body, dict) else None
    return given if isinstance(given, str) else None


def read_query(request: Request, scope: Scope) -> Asked:
    """Return what a request without a body asks, and who: somebody with the right to `scope` there.

    Raises: Problem.
    """
    services, token, params = services_of(request), identified(request), params_of(request)
    home = _home(token, params.text("workspace"))
    services.gate.allow(token, scope, home)
    return Asked(services, token, params, {}, home)


def _home(token: Token, named: str | None) -> str:
    return token.workspace or DEFAULT_WORKSPACE if named is None else workspace_name(named)
