"""Bodies of loads, in any pieces, against Python's own parsers. Run: `python -m tests.fuzz load_bodies`."""

import csv
import io
import json
import math
from typing import Any, Final
from unittest.mock import patch

from api.decode import blocks, elements
from api.decode.blocks import BrokenError
from api.decode.delimited import Header
from api.decode.sniff import HEAD, Form, sniff
from rules.limits import Limits
from tests.api.decode.pieces import Decoded, blocks_in, decoded
from tests.fuzz.json_door import alike

LIMITS: Final = Limits()
SEEDS: Final = (
    b'\x07[{"a": 1, "b": "},{"}, {"a": [1, {"b": 2.5}]}, 7, null, "x"]',
    b'\x05 [\n{"a": "\\ud83d\\ude00\\"\\\\"},{"a": tru},\r\n{"b":}, {"a": 18446744073709551616}\n] ',
    b'\x0b{"a": 1}\n\n{"a": "x"}\r\nnonsense\n{"a":\n[1]\n',
    b'\x03{"a":\n 1} {"a": 2}\n',
    b'\x09a,b\n1,2\n"x,\ny","q""q"\n\n3\n4,5,6\n"open',
    b"\x02\xef\xbb\xbfa\tb\r\n1\t2\r\n\xff\t\r\n",
)


def target(data: bytes) -> None:
    """Read a body whole and in pieces, as often as it can be read. Raises: AssertionError on a broken law."""
    step, body = (data[0] or 1 if data else 1), data[1:]
    small = (patch.object(blocks, "WINDOW", 64), patch.object(blocks, "MOST", 4))
    with small[0], small[1], patch.object(elements, "MOST", 4):
        whole = _read(body, ())
        assert _read(body, range(0, len(body), step)) == whole, "in pieces it reads otherwise"
    assert _read(body, ()) == whole, "in large windows it reads otherwise"
    try:
        form = sniff(body[:HEAD], LIMITS)
    except BrokenError:
        return
    if form.header is not None:
        if isinstance(whole, Decoded):
            _as_csv(body, form.header, whole)
    else:
        _as_json(body, form, whole)


def _read(body: bytes, cuts: Any) -> Decoded | str:
    try:
        found = decoded(blocks_in(body, cuts))
    except BrokenError:
        return "broken"
    places = sorted([*found.indexes, *(index for index, _, _ in found.refused)])
    assert places == list(range(len(places)))
    return found


def _as_csv(body: bytes, header: Header, ours: Decoded) -> None:
    text = body[header.begin.at :].decode("utf-8", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=header.delimiter, strict=True)
    try:
        theirs = [row for row in reader if row]
    except csv.Error:
        assert ours.refused, "a row that can't be read was"
        return
    width = len(header.names)
    assert ours.rows == [row for row in theirs if len(row) == width]
    assert len(ours.refused) == len(theirs) - len(ours.rows)


def _as_json(body: bytes, form: Form, ours: Decoded | str) -> None:
    if form.kind == "lines" and isinstance(ours, Decoded):
        lines = body[form.begin.at :].split(b"\n")
        assert len(ours.rows) + len(ours.refused) == sum(1 for line in lines if line.strip())
        for row, line in zip(ours.rows, ours.lines, strict=True):
            assert alike(row, json.loads(lines[line - 1]))
    if form.kind == "array":
        try:
            theirs = json.loads(body[form.begin.at :])
        except (ValueError, RecursionError):
            assert ours == "broken" or (isinstance(ours, Decoded) and ours.refused), (
                "what is no JSON was read"
            )
            return
        if _finite(theirs):
            assert isinstance(ours, Decoded), "it is JSON, and was not read"
            read = {index for index, _, _ in ours.refused}
            assert alike(ours.rows, [one for place, one in enumerate(theirs) if place not in read])
            assert len(ours.rows) + len(ours.refused) == len(theirs)


def _finite(value: Any) -> bool:
    """Whether a value is one that JSON has words for: Python's parser reads NaN and infinities too."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, list) else True
