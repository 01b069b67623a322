"""JSON and NDJSON bodies to records."""

import re
from typing import Any, Final

import msgspec

from rules.envelope import Record
from rules.errors import (
    BAD_JSON,
    BAD_LINE,
    BODY_TOO_LARGE,
    TOO_DEEP,
    UNSUPPORTED_TYPE,
    Code,
    Problem,
    Refusal,
    Refusals,
)
from rules.limits import Limits

CONTAINERS: Final = 2_000_000
"""Objects and arrays that one body may hold; brackets in texts count too."""

BOM: Final = b"\xef\xbb\xbf"
"""A byte order mark, with which some writers of files begin them; it says nothing."""

_DIGITS_AS_ZERO: Final = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_LONG: Final = b"0" * 16
_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_NDJSON: Final = frozenset(
    {b"application/x-ndjson", b"application/x-jsonl", b"application/jsonl", b"application/ndjson"}
)
_TRIED: Final = frozenset(
    {b"", b"application/x-www-form-urlencoded", b"text/plain", b"application/octet-stream"}
)

_decode = msgspec.json.Decoder().decode


class Decoded(msgspec.Struct, frozen=True):
    """The members of a body, not looked at yet.

    `indexes` gives each record's place in the request where lines before it were refused, else None;
    `refusals` are the first of those, `refused` counts them.
    `plain` promises that the body held no run of 16 digits and no U+0000.
    """

    records: list[Any]
    plain: bool
    indexes: list[int] | None = None
    refusals: list[Refusal] = []
    refused: int = 0


def decode(body: bytes, content_type: bytes | None, limits: Limits) -> Decoded:
    """Return the records of a body: a JSON array, one JSON object, or NDJSON by its content type.

    Raises: Problem(bad_json) with the byte where it breaks, Problem(unsupported_type).
    """
    kind = b"" if content_type is None else content_type.partition(b";")[0].strip().lower()
    plain = is_plain(body)
    if kind in _NDJSON:
        return _lines(body.removeprefix(BOM), plain, limits)
    if kind not in _TRIED and kind != b"application/json" and not kind.endswith(b"+json"):
        shown = kind[:60].decode("latin-1")
        raise Problem(
            UNSUPPORTED_TYPE,
            f"Content-Type {shown!r}: send application/json or application/x-ndjson; load other formats "
            f"with POST /v1/data.",
        )
    value = parse_json(body)
    if isinstance(value, list):
        _check_number(len(value), limits)
        return Decoded(value, plain)
    if isinstance(value, dict):
        return Decoded([value], plain)
    raise Problem(BAD_JSON, "The body is JSON, but neither an object nor an array of objects.")


def is_plain(body: bytes) -> bool:
    """Return whether a text holds no run of 16 digits, no U+0000 and no escape of one."""
    # a regex takes twenty times as long for the same answer
    return b"\\u0000" not in body and b"\0" not in body and _LONG not in body.translate(_DIGITS_AS_ZERO)


def parse_json(body: bytes) -> Any:
    """Return a JSON text as values.

    Raises: Problem(bad_json, too_deep) with the byte where it breaks, Problem(body_too_large) where it
    holds more objects and arrays than memory could be spared for.
    """
    _check_containers(body)
    body = body.removeprefix(BOM)
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        code, message = words_of(error, body)
        raise Problem(code, message) from error


def _check_containers(body: bytes) -> None:
    """Bound what a text becomes: three bytes (`[],`) take 72 once they are read, a number at most 32."""
    if len(body) <= 2 * CONTAINERS:
        return
    most = body.count(b"[") + body.count(b"{")
    if most > CONTAINERS:
        raise Problem(
            BODY_TOO_LARGE,
            f"The body holds {most} opening brackets; {CONTAINERS} are allowed in one. Send it in parts.",
        )


def _check_number(records: int, limits: Limits) -> None:
    if records > limits.records:
        raise Problem(
            BODY_TOO_LARGE,
            f"The body holds {records} records; {limits.records} are allowed in one write. Send it in parts.",
        )


def _lines(body: bytes, plain: bool, limits: Limits) -> Decoded:
    _check_number(body.count(b"\n"), limits)
    _check_containers(body)
    records: list[Record] = []
    indexes: list[int] = []
    refusals = Refusals(limits.errors_listed)
    index = -1
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        index += 1
        try:
            records.append(_decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            refusals.add(Refusal(index, "", BAD_LINE, words_of(error, line)[1] if refusals.room else ""))
        else:
            indexes.append(index)
    return Decoded(records, plain, indexes if refusals.count else None, refusals.first, refusals.count)


def words_of(error: Exception, body: bytes) -> tuple[Code, str]:
    """Return what is wrong with a text that is no JSON, and where."""
    if isinstance(error, RecursionError):
        return TOO_DEEP, "The JSON is nested deeper than the limit."
    if not body.strip():
        return BAD_JSON, "The body is empty (byte 0); send a JSON array of objects, or one object."
    if isinstance(error, UnicodeDecodeError):
        return BAD_JSON, f"The body is not valid UTF-8 (byte {_utf8_break(body)})."
    text = str(error)
    if _BYTE.search(text) is None:
        if "out of range" in text:
            return BAD_JSON, "The JSON holds a number that no double can hold."
        where = _surrogate(body)
        return BAD_JSON, (
            f"The JSON holds a lone surrogate (byte {where})."
            if where is not None
            else f"The JSON breaks off (byte {len(body)})."
        )
    return BAD_JSON, f"{text}."


def _utf8_break(body: bytes) -> int:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)


_ESCAPE: Final = re.compile(rb"\\(?:u(?P<hex>[0-9a-fA-F]{4})|.)", re.DOTALL)


def _surrogate(body: bytes) -> int | None:
    """Return where the first escape stands that is half of a pair, alone."""
    high: int | None = None
    for match in _ESCAPE.finditer(body):
        unit = int(match["hex"], 16) if match["hex"] else 0
        if high is not None and 0xDC00 <= unit < 0xE000 and match.start() == high + 6:
            high = None
            continue
        if high is not None or 0xDC00 <= unit < 0xE000:
            return match.start() if high is None else high
        if 0xD800 <= unit < 0xDC00:
            high = match.start()
    return high
