"""Answers of the control endpoints: JSON, and records as JSON, NDJSON or CSV."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

from fastapi import Response

from api.entry.answer import encode
from rules.envelope import Record
from rules.errors import BAD_PARAMETER, Problem

FORMATS: Final = ("json", "ndjson", "csv")
PAGE_BYTES: Final = 64 * 1024 * 1024

Pairs = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Form:
    """A format of records: what stands before, between and behind them, and each one's bytes."""

    media_type: str
    opening: bytes
    between: bytes
    closing: bytes
    row: Callable[[Record], bytes]


def form_of(name: str, fields: Sequence[str]) -> Form:
    """Return a format by its name; `fields` are the columns of a CSV header.

    CSV is RFC 4180's: a header row, CRLF, quotes where they are needed; nested values as JSON, null empty.
    """
    if name == "csv":

        def row(record: Record) -> bytes:
            return _csv_row(record[field] for field in fields)

        return Form("text/csv; charset=utf-8; header=present", _csv_row(fields), b"", b"", row)
    if name == "ndjson":
        return Form("application/x-ndjson", b"", b"", b"", lambda r: encode(r) + b"\n")
    return Form("application/json", b"[", b",", b"]", encode)


def render(form: Form, records: Iterable[Record], *, turned: bool = False, most: int | None = None) -> bytes:
    """Return the records in a format, in their order or, `turned`, the other way round.

    `most` is how many bytes are left for them, `PAGE_BYTES` unless given. Raises: Problem(bad_parameter)
    where they would fill more.
    """
    most = PAGE_BYTES if most is None else most
    rows: list[bytes] = []
    size = 0
    for record in records:
        row = form.row(record)
        size += len(row)
        if size > most:
            raise Problem(
                BAD_PARAMETER,
                f"The first {len(rows)} records of a page fill the {PAGE_BYTES} bytes that an answer may "
                "have; ask for fewer records with limit, or for fewer columns with filter.",
            )
        rows.append(row)
    if turned:
        rows.reverse()
    return form.opening + form.between.join(rows) + form.closing


def reply(body: Any, status: int = 200, headers: Pairs = ()) -> Response:
    """Return an answer of JSON."""
    return plain(encode(body), "application/json", headers, status)


def plain(body: bytes, media_type: str, headers: Pairs = (), status: int = 200) -> Response:
    """Return an answer of bytes."""
    own = {name.decode(): value.decode("latin-1") for name, value in headers}
    return Response(body, status, {**own, "content-type": media_type})


def _csv_row(values: Iterable[Any]) -> bytes:
    line = StringIO(newline="")
    csv.writer(line).writerow([_cell(value) for value in values])
    return line.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return encode(value).decode()
