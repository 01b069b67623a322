"""How InfluxDB's callers are answered: 204, or an error in the shape that their version knows."""

from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any, Final

from api.entry.answer import Answer, Headers, encode
from rules.errors import BAD_LINE, RECORD_TOO_LARGE, Problem

VERSION: Final = "2.7.0-sluice"
"""What callers are told they speak to; the number is that of the API they may expect."""

HEADERS: Final[Headers] = (
    (b"x-influxdb-version", VERSION.encode()),
    (b"x-influxdb-build", b"Sluice"),
)
_JSON: Final = (b"content-type", b"application/json; charset=utf-8")
_JS_CLIENT: Final = b"influxdb-client-js/"
_CODES: Final = {
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    409: "conflict",
    413: "request too large",
    415: "unsupported media type",
    422: "unprocessable entity",
    429: "too many requests",
    503: "unavailable",
    504: "unavailable",
}
_SYNTAX: Final = frozenset({BAD_LINE.name, RECORD_TOO_LARGE.name})
_KEPT: Final = ("writeId", "outcome")
_HEADER_CHARS: Final = 500

Errors = Sequence[Mapping[str, Any]]


def code_of(status: int) -> str:
    """Return InfluxDB's word for a status."""
    return _CODES.get(status, "invalid")


def status_of(errors: Errors) -> int:
    """Return the status of a write of which lines were refused: 422 where all are at odds with the types."""
    return 400 if any(error["code"] in _SYNTAX for error in errors) else 422


def sentence_of(errors: Errors, rejected: int, *, some: bool) -> str:
    """Return what is said of refused lines; where `some` others were written, in words that clients know."""
    first = errors[0]
    unread = "unable to parse: " if first["code"] in _SYNTAX else ""
    what = f"{unread}{first['message']} (line {first['index'] + 1}) dropped={rejected}"
    what = f"partial write: {what}" if some else what
    return f"failure writing points to database: {what}" if status_of(errors) == 422 else what


def v2_answer(status: int, message: str, more: Mapping[str, Any], headers: Headers) -> Answer:
    """Return an error of version 2: code, message, and what else is known."""
    code = code_of(status)
    body = encode({"code": code, "message": message, **more})
    return Answer(status, body, (*HEADERS, (b"x-platform-error-code", code.encode()), *headers), _JSON)


def v1_answer(status: int, message: str, headers: Headers) -> Answer:
    """Return an error of version 1: one sentence, in the body and in a header."""
    shown = "".join(letter if " " <= letter <= "~" else "?" for letter in message[:_HEADER_CHARS])
    own: Headers = ((b"x-influxdb-error", shown.encode()),)
    return Answer(status, encode({"error": message}), (*HEADERS, *own, *headers), _JSON)


def v3_answer(status: int, message: str, data: Sequence[Mapping[str, Any]], headers: Headers) -> Answer:
    """Return an error of version 3: a sentence, and the lines it is about."""
    body: dict[str, Any] = {"error": message}
    if data:
        body["data"] = data
    return Answer(status, encode(body), (*HEADERS, *headers), _JSON)


def listed(errors: Errors) -> list[dict[str, Any]]:
    """Return refused lines as version 2 lists them: line numbers from 1."""
    return [{"line": error["index"] + 1, "message": error["message"]} for error in errors]


def listed_with_lines(errors: Errors, body: bytes) -> list[dict[str, Any]]:
    """Return refused lines as version 3 lists them, each with its beginning as it was sent."""
    lines = body.split(b"\n") if errors else []
    return [
        {
            "original_line": lines[error["index"]][:1000].decode(errors="replace"),
            "line_number": error["index"] + 1,
            "error_message": error["message"],
        }
        for error in errors
    ]


def kept(problem: Problem) -> dict[str, Any]:
    """Return what a caller must know of a problem besides its sentence: which write it was."""
    return {name: problem.extra[name] for name in _KEPT if name in problem.extra}


def waiting(problem: Problem, agent: bytes, now: float) -> Headers:
    """Return when a caller may come again: whole seconds, or a date for who takes them for milliseconds."""
    if problem.retry_after is None:
        return ()
    if agent.startswith(_JS_CLIENT):
        return ((b"retry-after", formatdate(now + problem.retry_after, usegmt=True).encode()),)
    return ((b"retry-after", b"%d" % problem.retry_after),)
