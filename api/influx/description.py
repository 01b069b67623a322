"""The line-protocol doors for the OpenAPI document, which FastAPI does not see: what they take and answer."""

from typing import Final

from api.described import IDEMPOTENCY_KEY, Words, query
from api.influx.params import V1_UNITS, V2_UNITS, V3_UNITS
from api.influx.write import DOORS

_LINES: Final = (
    "airSensors,sensor_id=TLM0201 temperature=73.97,humidity=35.23 1630424257000000000\n"
    "airSensors,sensor_id=TLM0202 temperature=75.3,humidity=35.65 1630424257000000000\n"
)
_REFUSED: Final = "unable to parse: fields are missing (column 4) (line 2) dropped=1"
_V2_ERROR: Final = {
    "code": "invalid",
    "message": f"partial write: {_REFUSED}",
    "line": 2,
    "errors": [{"line": 2, "message": "fields are missing (column 4)"}],
}
_V1_ERROR: Final = {"error": f"partial write: {_REFUSED}"}
_V3_ERROR: Final = {
    "error": "partial write of line protocol occurred",
    "data": [{"original_line": "bad", "line_number": 2, "error_message": "fields are missing (column 4)"}],
}
_STATUSES: Final = {
    "400": "Lines or a parameter can't be read; the good lines are written where `partial write` is said.",
    "401": "No token, or one that is not known.",
    "403": "The token may not write there.",
    "404": "The organization is not the token's, or no bucket is named.",
    "409": "The Idempotency-Key was used for another request.",
    "413": "The body is larger than the limit that is named.",
    "415": "The Content-Encoding is not supported.",
    "422": "All lines that are refused are at odds with the types of their fields.",
    "429": "The token's quota is used up.",
    "503": "The broker is overloaded, or a part of it is down.",
    "504": "It is logged and will be stored, but was not within `timeout`.",
}


def line_operations() -> dict[str, Words]:
    """Return the doors' paths with what may be done there."""
    v2 = [
        query("org", "The organization, which is the workspace; or `orgID`. Without: the token's own."),
        query("bucket", "The bucket, by name or id; it is made where it is not there yet."),
        _precision(V2_UNITS),
    ]
    v1 = [
        query("db", "The database, which is the bucket."),
        query("rp", "The retention policy: with it the bucket is `db/rp`."),
        query("p", "The token, as a password; Basic is taken too."),
        _precision(V1_UNITS),
    ]
    v3 = [query("db", "The database, which is the bucket."), _precision(V3_UNITS)]
    errors: list[Words] = [_V2_ERROR, _V1_ERROR, _V3_ERROR]
    shown = zip(DOORS.items(), (v2, v1, v3), errors, strict=True)
    return {
        path: {"post": _operation(path, (door.__doc__ or "").strip(), parameters, error)}
        for (path, door), parameters, error in shown
    }


def _operation(path: str, said: str, parameters: list[Words], error: Words) -> Words:
    return {
        "tags": ["influxdb"],
        "operationId": f"lines{path.replace('/', '_')}",
        "summary": said.split(". ")[0].rstrip("."),
        "description": f"{said} Bodies may be compressed with gzip or deflate, and of any content type.",
        "parameters": [*parameters, *_options(), IDEMPOTENCY_KEY],
        "requestBody": {
            "required": True,
            "content": {"text/plain": {"schema": {"type": "string"}, "example": _LINES}},
        },
        "responses": {
            "204": {"description": "All of it is written; an empty body too."},
            **{status: _answer(status, words, error) for status, words in _STATUSES.items()},
        },
    }


def _options() -> list[Words]:
    return [
        query("accept_partial", "false: a line that is refused refuses all.", "boolean", default=True),
        query("wait", "true: answer once the points can be queried.", "boolean", default=False),
        query("event", "true: publish the points to the rules.", "boolean", default=True),
        query("persist", "false: publish only, store nothing.", "boolean", default=True),
        query(
            "timeout", "Seconds to wait until it is stored.", "number", minimum=0.1, maximum=60, default=10
        ),
    ]


def _precision(units: dict[str, int]) -> Words:
    return query("precision", "The unit of the timestamps.", enum=list(units), default="ns")


def _answer(status: str, words: str, error: Words) -> Words:
    told: Words = {
        "description": words,
        "content": {"application/json": {"schema": {"type": "object"}, "example": error}},
    }
    if status in ("429", "503"):
        retry = {"description": "Whole seconds.", "schema": {"type": "integer"}}
        told["headers"] = {"Retry-After": retry}
    if status not in ("400", "422"):
        told["content"]["application/json"].pop("example")
    return told
