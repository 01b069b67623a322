"""What endpoints say of themselves in the OpenAPI document: parameters, bodies, answers."""

from typing import Any, Final

Words = dict[str, Any]

RECORDS: Final[Words] = {"oneOf": [{"type": "array", "items": {"type": "object"}}, {"type": "object"}]}
"""The schema of a write's body: an array of objects, or one."""

TIMEOUT: Final[Words] = {
    "name": "timeout",
    "in": "query",
    "description": "Seconds to wait until it is done, before 504; it goes on then.",
    "schema": {"type": "number", "minimum": 0.1, "maximum": 60, "default": 10},
}
IDEMPOTENCY_KEY: Final[Words] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 characters, kept 24 hours: the same key is the same write, done once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def query(name: str, description: str, kind: str = "string", **more: Any) -> Words:
    """Return a query parameter; `more` goes into its schema."""
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind, **more}}


def segment(name: str, description: str) -> Words:
    """Return a parameter that is a segment of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
    }


def json_body(description: str, example: Any) -> Words:
    """Return a request body of JSON: an object, or, where the example is one, a list of objects."""
    schema: Words = {"type": "object"}
    if isinstance(example, list):
        schema = RECORDS
    content = {"application/json": {"schema": schema, "example": example}}
    return {"description": description, "required": True, "content": content}


def extra(*parameters: Words, body: Words | None = None) -> Words:
    """Return what a route is given as `openapi_extra`."""
    told: Words = {"parameters": list(parameters)} if parameters else {}
    return told if body is None else {**told, "requestBody": body}


def answers(status: int, description: str, example: Any = None) -> dict[int | str, Words]:
    """Return what a route is given as `responses`: how it answers where all went well."""
    if example is None:
        return {status: {"description": description}}
    content = {"application/json": {"schema": {}, "example": example}}
    return {status: {"description": description, "content": content}}
