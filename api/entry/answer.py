"""Answers as bytes, for the parts that speak ASGI themselves."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import msgspec

from rules.errors import Code, Problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON: Final = (b"content-type", b"application/json")
_PROBLEM: Final = (b"content-type", b"application/problem+json")

Headers = tuple[tuple[bytes, bytes], ...]

encode: Final = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """A whole HTTP answer. `headers` come beside content type and length."""

    status: int
    body: bytes = b""
    headers: Headers = ()
    content_type: tuple[bytes, bytes] = _JSON

    async def send(self, send: Send) -> None:
        """Send it."""
        headers = [*self.headers]
        if self.status != 204:  # which has no body to speak of
            headers = [self.content_type, (b"content-length", b"%d" % len(self.body)), *headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def problem_body(code: Code, detail: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of `application/problem+json` (RFC 9457) with the fields callers of Apperate expect."""
    return {
        "type": f"/docs/errors#{code.name}",
        "title": code.sentence,
        "status": code.status,
        "code": code.name,
        "detail": detail,
        "success": False,
        "message": detail,
        **extra,
    }


def problem(error: Problem, more: Headers = ()) -> Answer:
    """Return the answer that tells a caller of a problem; `more` are headers beside those it asks for."""
    headers = list(more)
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after))
    if error.code.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    body = encode(problem_body(error.code, error.detail, error.extra))
    return Answer(error.code.status, body, tuple(headers), _PROBLEM)


def json_answer(status: int, body: Any, headers: Headers = ()) -> Answer:
    """Return an answer of JSON."""
    return Answer(status, encode(body), headers)
