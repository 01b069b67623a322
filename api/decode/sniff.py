"""Which format a body has, told from its beginning, whatever its content type says."""

import re
from typing import Final, Literal

import msgspec
from msgspec import Struct

from api.decode.blocks import Blocks, BrokenError, Place
from api.decode.delimited import Header, Rows, read_header
from api.decode.elements import Elements
from api.decode.lines import Lines
from api.decode.texts import BOM
from rules.limits import Limits

HEAD: Final = 1024 * 1024
"""Bytes of the beginning that are looked at: the header row of a CSV has to end in them."""

_NEXT_OBJECT: Final = re.compile(rb"\n\{")

_decode = msgspec.json.Decoder().decode

Kind = Literal["array", "objects", "lines", "delimited"]


class Form(Struct, frozen=True):
    """A format, and where its first block begins. `header` is that of a CSV."""

    kind: Kind
    begin: Place
    header: Header | None = None


def sniff(head: bytes, limits: Limits) -> Form:
    """Return the format of the body that begins with `head`: its first `HEAD` bytes, or all it has.

    `[` begins a JSON array; `{` JSON lines, or one object over several lines; anything else is CSV.
    Raises: BrokenError where it is empty, or the header of a CSV can't be one.
    """
    begin = len(BOM) if head.startswith(BOM) else 0
    text = head[begin:].lstrip(b" \t\r\n")
    place = Place(begin)
    if not text:
        raise BrokenError("The body is empty; send a JSON array, JSON lines, or CSV with a header row.")
    if text[:1] == b"[":
        return Form("array", place)
    if text[:1] == b"{":
        return Form("lines" if _has_lines(text) else "objects", place)
    header = read_header(head, begin, limits.columns)
    return Form("delimited", header.begin, header)


def blocks_of(form: Form, place: Place, limits: Limits) -> Blocks:
    """Return what reads a body of this form from a place on."""
    most = limits.record_bytes
    if form.header is not None:
        return Rows(place, most, form.header)
    if form.kind == "lines":
        return Lines(place, most)
    return Elements(place, most, framed=form.kind == "array")


def _has_lines(text: bytes) -> bool:
    """Return whether each line is an object of its own: the first one is, or another line begins with one."""
    first = text.partition(b"\n")[0]
    try:
        _decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NEXT_OBJECT.search(text) is not None or b"\n" not in text.rstrip()
    return True
