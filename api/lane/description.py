"""The lane's endpoints for the OpenAPI document, which FastAPI does not see: what they take and answer."""

from collections.abc import Mapping
from typing import Any, Final

from api.described import IDEMPOTENCY_KEY, RECORDS, Words, query, segment
from rules.errors import (
    ALL_REFUSED,
    BAD_JSON,
    BODY_TOO_LARGE,
    DATASET_NOT_FOUND,
    FORBIDDEN,
    IDEMPOTENCY_CONFLICT,
    NO_TOKEN,
    OVERLOADED,
    QUOTA,
    TOO_SLOW,
    UNSUPPORTED_TYPE,
    WRONG_TYPE,
    Code,
)

_WRITE_ID: Final = "0000000100000193000000005f1c2d3e"
_RECORDS: Final = [{"symbol": "ABC", "price": 18.5}, {"symbol": "XYZ", "price": 7}]
_LINES: Final = '{"symbol": "ABC", "price": 18.5}\n{"symbol": "XYZ", "price": 7}\n'
_REFUSED: Final = {
    "index": 1,
    "path": "/price",
    "code": WRONG_TYPE.name,
    "message": 'Column "price" takes numbers; the text "seven" came.',
    "retriable": WRONG_TYPE.retriable,
}
_WRITTEN: Final = {"success": True, "message": "wrote 2 messages", "writeId": _WRITE_ID}

_PROBLEMS: Final[tuple[tuple[Code, Words], ...]] = (
    (BAD_JSON, {}),
    (NO_TOKEN, {}),
    (FORBIDDEN, {}),
    (DATASET_NOT_FOUND, {}),
    (IDEMPOTENCY_CONFLICT, {}),
    (BODY_TOO_LARGE, {}),
    (UNSUPPORTED_TYPE, {}),
    (ALL_REFUSED, {"accepted": 0, "rejected": 1, "errors": [_REFUSED]}),
    (QUOTA, {}),
    (OVERLOADED, {}),
    (TOO_SLOW, {"writeId": _WRITE_ID, "accepted": 2, "rejected": 0, "errors": []}),
)

SCHEMAS: Final[dict[str, Words]] = {
    "Refusal": {
        "type": "object",
        "description": "One record that was not taken.",
        "required": ["index", "path", "code", "message", "retriable"],
        "properties": {
            "index": {"type": "integer", "description": "Its place in the request, from 0."},
            "path": {"type": "string", "description": "A JSON Pointer to what is wrong in it."},
            "code": {"type": "string"},
            "message": {"type": "string"},
            "retriable": {"type": "boolean"},
        },
    },
    "Written": {
        "type": "object",
        "required": ["success", "message", "ack", "accepted", "rejected"],
        "properties": {
            "success": {"type": "boolean"},
            "message": {"type": "string"},
            "writeId": {"type": "string", "description": "Not given where there was nothing to write."},
            "ack": {"type": "string", "enum": ["logged", "stored", "published"]},
            "accepted": {"type": "integer"},
            "rejected": {"type": "integer"},
            "inserted": {"type": "integer"},
            "replaced": {"type": "integer", "description": "Merges count here."},
            "ignored": {"type": "integer"},
            "quarantined": {"type": "integer", "description": "Accepted and yet not stored, if any."},
            "errors": {
                "type": "array",
                "description": "Why records were refused, the first 100.",
                "items": {"$ref": "#/components/schemas/Refusal"},
            },
        },
    },
}


def operations(doors: Mapping[str, bool]) -> dict[str, Words]:
    """Return the lane's paths with what may be done there.

    `doors` are the native ones: the first segments of their paths, and whether they wait until a write is
    stored unless told otherwise.
    """
    return {
        f"{door}/{{workspace}}/{{dataset}}": {"post": _operation(door, wait)} for door, wait in doors.items()
    }


def _operation(door: str, wait: bool) -> Words:
    return {
        "tags": ["writes"],
        "operationId": f"write_{door.rsplit('/', 1)[1]}",
        "summary": "Write records, and wait until they are stored" if wait else "Write records",
        "description": "A 2xx means that the write is durable in the log. Records that are refused are "
        "named; the others are written. Bodies may be compressed with gzip or deflate.",
        "parameters": [
            segment("workspace", "The tenant; letters, digits and _, matched without case."),
            segment("dataset", "The dataset; it is made where it is not there yet."),
            *_parameters(wait),
            IDEMPOTENCY_KEY,
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": RECORDS, "example": _RECORDS},
                "application/x-ndjson": {"schema": {"type": "string"}, "example": _LINES},
            },
        },
        "responses": _answers(),
    }


def _parameters(wait: bool) -> list[Words]:
    return [
        query("wait", "true: answer once the records can be queried.", "boolean", default=wait),
        query("event", "true: publish the records to the rules.", "boolean", default=True),
        query("persist", "false: publish only, store nothing.", "boolean", default=True),
        query(
            "duplicateKeyHandling",
            "What becomes of a record whose key is stored: ignore it, replace what is stored, or merge the "
            "fields given over it. true means replace, false ignore.",
            enum=["ignore", "replace", "merge", "true", "false"],
            default="ignore",
        ),
        query("createDatasetOnDemand", "false: 404 for an unknown dataset.", "boolean", default=True),
        query("atomic", "true: any refused record refuses all.", "boolean", default=False),
        query(
            "timeout",
            "Seconds to wait until it is stored, before 504.",
            "number",
            minimum=0.1,
            maximum=60,
            default=10,
        ),
    ]


def _answers() -> dict[str, Words]:
    counts = {"inserted": 2, "replaced": 0, "ignored": 0}
    partly = {**_WRITTEN, "message": "wrote 1 messages", "ack": "logged", "accepted": 1, "rejected": 1}
    answers = {
        "200": _written(
            "Stored (or published, with persist=false).",
            {**_WRITTEN, "ack": "stored", "accepted": 2, "rejected": 0, **counts},
        ),
        "202": _written("Logged.", {**_WRITTEN, "ack": "logged", "accepted": 2, "rejected": 0}),
        "207": _written("Some were refused.", {**partly, "errors": [_REFUSED]}),
    }
    for code, more in _PROBLEMS:
        answers[str(code.status)] = problem_answer(code, more)
    return answers


def _written(description: str, example: Any) -> Words:
    schema = {"$ref": "#/components/schemas/Written"}
    return {
        "description": description,
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def problem_answer(code: Code, more: Words) -> Words:
    """Return how a problem is answered, with an example; `more` is what its body holds besides."""
    told = {
        "description": code.sentence,
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": {
                    "type": f"/docs/errors#{code.name}",
                    "title": code.sentence,
                    "status": code.status,
                    "code": code.name,
                    "detail": code.sentence,
                    "success": False,
                    "message": code.sentence,
                    **more,
                },
            }
        },
    }
    if code.status not in (429, 503):
        return told
    retry = {"description": "Whole seconds.", "schema": {"type": "integer"}}
    return {**told, "headers": {"Retry-After": retry}}
