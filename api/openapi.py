"""The OpenAPI document: what FastAPI knows, the lane's endpoints, tokens, problems; and the pages over it."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from api.described import Words, segment
from api.entry.answer import encode
from api.influx.description import line_operations
from api.lane.description import SCHEMAS, operations
from api.pages import errors_page, operations_page
from api.v1 import shapes
from rules.errors import CATALOGUE

OPEN: Final = frozenset({"/health", "/ping", "/ready", "/metrics"})
"""What answers without a token, besides these documents themselves."""

_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_HTML: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
}
_SEGMENTS: Final = {
    "workspace": "The tenant; matched without case.",
    "dataset": "The dataset's name; matched without case.",
    "key": "A value of the key's column.",
    "subkey": "A value of the subkey's column.",
    "name": "The name that the dataset shall have.",
    "target": "A record's id in the quarantine, or a dataset's name.",
    "id": "The record's id in the quarantine.",
    "rule": "The rule's id.",
    "alert": "The alert's id.",
    "subscription": "The subscription's id.",
    "notification": "The notification's id: one change of an alert.",
    "token_id": "The token's id, not its secret.",
    "job_id": "The jobId that a load answered with.",
    "value": "What is looked up.",
    "write_id": "The writeId that a write answered with.",
}
_ABOUT: Final = (
    "An event-driven write broker with a rules engine. Durations are written 60s, 5m, 2h or 7d; unknown "
    "query parameters are ignored and listed in the answer's header Sluice-Ignored. Errors are "
    "application/problem+json; /docs/errors lists their codes."
)
_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer T, or Token T."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "query": {"type": "apiKey", "in": "query", "name": "token"},
}
_PROBLEM: Final = {
    "type": "object",
    "description": "What went wrong (RFC 9457). `code` is stable; /docs/errors lists them all.",
    "required": ["type", "title", "status", "code", "detail", "success", "message"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "What happened, in general."},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted(CATALOGUE)},
        "detail": {"type": "string", "description": "What happened here, where, and what to do."},
        "success": {"type": "boolean", "const": False},
        "message": {"type": "string", "description": "The same as detail."},
        "writeId": {"type": "string", "description": "Where a write is logged, or may be."},
        "outcome": {"type": "string", "const": "unknown"},
        "accepted": {"type": "integer"},
        "rejected": {"type": "integer"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Refusal"}},
    },
}


def describe(app: FastAPI, doors: Mapping[str, bool]) -> None:
    """Serve `/openapi.json`, `/docs` and `/docs/errors`. Call once every router is included.

    `doors` are those of the lane, as `operations` takes them.
    """

    @cache
    def whole() -> Words:
        return document(app, doors)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return Response(encode(whole()), media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(operations_page(whole()), headers=_HTML)

    @app.get("/docs/errors", include_in_schema=False)
    async def errors() -> Response:
        return Response(errors_page(CATALOGUE.values()), headers=_HTML)


def document(app: FastAPI, doors: Mapping[str, bool]) -> Words:
    """Return the OpenAPI document of everything the application answers."""
    told = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.include_in_schema:
            _as_said(route, told["paths"][route.path_format])
    told["paths"] |= operations(doors) | line_operations()
    for path, methods in told["paths"].items():
        for method in methods.keys() & _METHODS:
            _complete(methods[method], path)
    schemas = told.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas |= {**SCHEMAS, **shapes.SCHEMAS, "Problem": _PROBLEM}
    told["components"]["securitySchemes"] = _SECURITY
    told["components"]["responses"] = {
        "Problem": {
            "description": "It could not be done; the code says why.",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    }
    told["security"] = [{name: []} for name in _SECURITY]
    return told


def _as_said(route: APIRoute, methods: Words) -> None:
    """Put back what a route says of its body and answers: FastAPI mixes in guesses, and drops every null."""
    for method in route.methods or ():
        operation = methods[method.lower()]
        operation["responses"] |= {str(status): answer for status, answer in route.responses.items()}
        body = (route.openapi_extra or {}).get("requestBody")
        if body is not None:
            operation["requestBody"] = body


def _complete(operation: dict[str, Any], path: str) -> None:
    """Add what holds for every operation: the segments of its path, its problems, that it needs a token."""
    if path in OPEN:
        operation["security"] = []
        return
    parameters = operation.setdefault("parameters", [])
    named = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
    segments = _PARAMETER.findall(path)
    parameters[:0] = [segment(name, _SEGMENTS.get(name, "")) for name in segments if name not in named]
    for parameter in parameters:
        if parameter["in"] == "path" and not parameter.get("description"):
            parameter["description"] = _SEGMENTS.get(parameter["name"], "")
    answers = operation["responses"]
    # FastAPI's own shape for a parameter it can't read; ours are problems like all others
    if "HTTPValidationError" in str(answers.get("422", "")):
        del answers["422"]
    if not any(status.startswith(("4", "5")) for status in answers):
        answers |= {status: {"$ref": "#/components/responses/Problem"} for status in ("4XX", "5XX")}
