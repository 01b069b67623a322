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


def json_body(description: str, example: Any, shape: str | None = None, *, required: bool = True) -> Words:
    """Return a request body of JSON: of a shape the document names, else records, one or a list of them."""
    schema = RECORDS if shape is None else ref(shape)
    content = {"application/json": {"schema": schema, "example": example}}
    return {"description": description, "required": required, "content": content}


def ref(shape: str) -> Words:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{shape}"}


def extra(*parameters: Words, body: Words | None = None) -> Words:
    """Return what a route is given as `openapi_extra`."""
    told: Words = {"parameters": list(parameters)} if parameters else {}
    return told if body is None else {**told, "requestBody": body}


def answers(
    status: int, description: str, example: Any = None, shape: str | None = None
) -> dict[int | str, Words]:
    """Return what a route is given as `responses`: how it answers where all went well."""
    if example is None:
        return {status: {"description": description}}
    content = {"application/json": {"schema": {} if shape is None else ref(shape), "example": example}}
    return {status: {"description": description, "content": content}}


def stream(description: str, example: str) -> dict[int | str, Words]:
    """Return how a route answers that sends server-sent events."""
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": example}}
    return {200: {"description": description, "content": content}}


def own_refusals(description: str, example: Any) -> dict[int | str, Words]:
    """Return how a route refuses that words it for another system's clients, or else as all others do."""
    told = {"application/json": {"schema": {"type": "object"}, "example": example}}
    ours = {"application/problem+json": {"schema": ref("Problem")}}
    return {status: {"description": description, "content": {**told, **ours}} for status in ("4XX", "5XX")}
