"""JSON lines as blocks: a record a line; a line that is no JSON is refused, the others are read."""

from typing import Any

import msgspec

from api.decode.blocks import Blocks, Refused, Taken, first_lines
from api.decode.texts import words_of
from rules.errors import BAD_LINE, RECORD_TOO_LARGE

_decode = msgspec.json.Decoder().decode


class Lines(Blocks):
    """Blocks of JSON lines. Empty lines are passed over, and counted."""

    def _take(self, window: bytes, *, last: bool) -> Taken | None:
        end = len(window) if last else window.rfind(b"\n") + 1
        if self._single:
            end = window.find(b"\n") + 1 or end
        if not end:
            return None
        piece = first_lines(window[:end])
        if end <= self._record_bytes:
            taken = self._at_once(piece)
            if taken is not None:
                return taken
        return self._one_by_one(piece)

    def _at_once(self, piece: bytes) -> Taken | None:
        """Decode all lines, None where one is empty or no JSON."""
        lines = piece.removesuffix(b"\n").split(b"\n")
        try:
            rows = list(map(_decode, lines))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        count = len(rows)
        first, line = self._place.index, self._place.line
        return Taken(
            rows, range(first, first + count), range(line, line + count), [], len(piece), line + count
        )

    def _one_by_one(self, piece: bytes) -> Taken:
        rows: list[Any] = []
        indexes: list[int] = []
        lines: list[int] = []
        refused: list[Refused] = []
        index, line = self._place.index, self._place.line
        parts = piece.split(b"\n")
        if not parts[-1]:
            parts.pop()
        for number, text in enumerate(parts, start=line):
            if not text.strip():
                continue
            if len(text) > self._record_bytes:
                message = f"The record has {len(text)} bytes; {self._record_bytes} are allowed."
                refused.append(Refused(index, number, RECORD_TOO_LARGE, message))
            else:
                try:
                    rows.append(_decode(text))
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    refused.append(Refused(index, number, BAD_LINE, words_of(error, text)[1]))
                else:
                    indexes.append(index)
                    lines.append(number)
            index += 1
        return Taken(rows, indexes, lines, refused, len(piece), line + len(parts))

    def _skip(self, data: bytes) -> int | None:
        return data.find(b"\n") + 1 or None
