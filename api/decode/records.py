"""JSON and NDJSON bodies to records."""

from typing import Any, Final

import msgspec

from api.decode.elements import members_of
from api.decode.texts import BOM, BrokenText, held, is_plain, read_member, words_of
from rules.envelope import Record
from rules.errors import (
    BAD_JSON,
    BAD_LINE,
    BODY_TOO_LARGE,
    RECORD_TOO_LARGE,
    UNSUPPORTED_TYPE,
    Problem,
    Refusal,
    Refusals,
)
from rules.limits import Limits

CONTAINERS: Final = 2_000_000
"""Objects and arrays that one body may hold; brackets in texts count too."""

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
    try:
        value = parse_json(body)
    except Problem as problem:
        error, body = problem.__cause__, body.removeprefix(BOM)
        if not isinstance(error, msgspec.DecodeError) or body.lstrip()[:1] != b"[" or not held(error, body):
            raise
        return _members(body, plain, limits)
    if isinstance(value, list):
        _check_number(len(value), limits)
        return Decoded(value, plain)
    if isinstance(value, dict):
        return Decoded([value], plain)
    raise Problem(BAD_JSON, "The body is JSON, but neither an object nor an array of objects.")


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


def _members(body: bytes, plain: bool, limits: Limits) -> Decoded:
    """Read the members of an array one by one, and refuse those with a value that no record may hold.

    Raises: Problem(bad_json, too_deep) where the array is no JSON besides, Problem(body_too_large).
    """
    records: list[Any] = []
    indexes: list[int] = []
    refusals = Refusals(limits.errors_listed)
    try:
        for index, (at, text) in enumerate(members_of(body)):
            _check_number(index, limits)
            if len(text) > limits.record_bytes:  # looked at no further: that takes many times its size
                message = f"The record has {len(text)} bytes; {limits.record_bytes} are allowed."
                refusals.add(Refusal(index, "", RECORD_TOO_LARGE, message))
                continue
            value, unkept = read_member(text, at)
            if unkept is None:
                records.append(value)
                indexes.append(index)
            else:
                refusals.add(Refusal(index, "", BAD_LINE, unkept))
    except BrokenText as broken:
        raise Problem(BAD_JSON, f"{broken}.") from broken
    except RecursionError as error:
        code, words = words_of(error, body)
        raise Problem(code, words) from error
    return Decoded(records, plain, indexes, refusals.first, refusals.count)
