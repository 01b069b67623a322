"""CSV as blocks of rows: comma, tab or pipe, a header row, RFC 4180's quotes.

Bytes that are no UTF-8 become lone surrogates, which the check of records refuses by name.
"""

import csv
from io import StringIO
from typing import Final

from msgspec import Struct

from api.decode.blocks import Blocks, BrokenError, Place, Refused, Taken, first_lines
from rules.errors import BAD_ROW, RECORD_TOO_LARGE
from rules.names import SYSTEM_FIELDS, field_problem

DELIMITERS: Final = (",", "\t", "|")
_UNFINISHED: Final = "unexpected end of data"

csv.field_size_limit(2**31 - 1)  # records are bounded here, whole


class Header(Struct, frozen=True):
    """The first row of a CSV: its delimiter, the names of the columns, where the rows begin."""

    delimiter: str
    names: tuple[str, ...]
    begin: Place


def read_header(head: bytes, at: int, columns: int) -> Header:
    """Return the header of a CSV; `head` is its beginning, `at` where the text begins in it.

    `columns` is how many there may be. Raises: BrokenError.
    """
    text = head[at:].decode("utf-8", "surrogateescape")
    first = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(StringIO(text, newline="\n"), delimiter=delimiter, strict=True)
    try:
        names = next((row for row in reader if row), [])
    except csv.Error as error:
        raise BrokenError(f"The header row can't be read: {error}.") from error
    end = at
    for _ in range(reader.line_num):
        end = head.find(b"\n", end) + 1 or len(head)
    _check_names(names, head[at:end], columns)
    return Header(delimiter, tuple(names), Place(end, 0, reader.line_num + 1, 0))


def _check_names(names: list[str], row: bytes, columns: int) -> None:
    try:
        row.decode()
    except UnicodeDecodeError as error:
        raise BrokenError(f"The header row is not valid UTF-8 (byte {error.start} of it).") from error
    if len(names) > columns:
        raise BrokenError(f"The header names {len(names)} columns; {columns} are allowed.")
    for number, name in enumerate(names, start=1):
        why = None if name in SYSTEM_FIELDS else field_problem(name)
        if why is not None:
            raise BrokenError(f"Column {number} of the header can't be taken: {why}.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BrokenError(f"The header names the column {twice!r:.80} twice; rename one.")


class Rows(Blocks):
    """Blocks of rows, each a list of as many cells as the header has names. Empty lines are passed over."""

    def __init__(self, place: Place, record_bytes: int, header: Header) -> None:
        super().__init__(place, record_bytes)
        self._delimiter = header.delimiter
        self._width = len(header.names)
        self._quoted = False

    def _take(self, window: bytes, *, last: bool) -> Taken | None:
        end = len(window) if last else window.rfind(b"\n") + 1
        if not end:
            return None
        piece = window[:end] if self._single else first_lines(window[:end])
        last = last and len(piece) == end
        if b'"' not in piece and not self._single and end <= self._record_bytes:
            taken = self._at_once(piece)
            if taken is not None:
                return taken
        return self._one_by_one(piece, last=last)

    def _at_once(self, piece: bytes) -> Taken | None:
        """Read rows without quotes, None where one is empty or has another number of cells."""
        try:
            rows = list(csv.reader(_text(piece), delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        if set(map(len, rows)) != {self._width}:
            return None
        first, line = self._place.index, self._place.line
        after = line + len(rows)
        return Taken(rows, range(first, first + len(rows)), range(line, after), [], len(piece), after)

    def _one_by_one(self, piece: bytes, *, last: bool) -> Taken | None:
        taken = Taken([], indexes := [], lines := [], [], 0, self._place.line)
        ends = _line_ends(piece)
        reader = csv.reader(_text(piece), delimiter=self._delimiter, strict=True)
        index, before = self._place.index, 0
        while True:
            row: list[str] | None = None
            why = ""
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                if str(error) == _UNFINISHED and not last:
                    break
                why = "a quote is never closed" if str(error) == _UNFINISHED else str(error)
            size = ends[reader.line_num] - ends[before]
            line, before = self._place.line + before, reader.line_num
            if row == []:
                continue
            refused = self._unfit(row, why, size, index, line)
            if refused is not None:
                taken.refused.append(refused)
            elif row is not None:
                taken.rows.append(row)
                indexes.append(index)
                lines.append(line)
            index += 1
            if self._single:
                break
        if not before:
            return None
        taken.used, taken.next_line = ends[before], self._place.line + before
        return taken

    def _unfit(self, row: list[str] | None, why: str, size: int, index: int, line: int) -> Refused | None:
        if row is None:
            return Refused(index, line, BAD_ROW, f"The row can't be read: {why}.")
        if size > self._record_bytes:
            message = f"The record has {size} bytes; {self._record_bytes} are allowed."
            return Refused(index, line, RECORD_TOO_LARGE, message)
        if len(row) != self._width:
            message = f"The row has {len(row)} cells; the header names {self._width} columns."
            return Refused(index, line, BAD_ROW, message)
        return None

    def _skip(self, data: bytes) -> int | None:
        """Go on to the end of the row: the line's end outside of quotes."""
        at = 0
        while at < len(data):
            if self._quoted:
                end = data.find(b'"', at)
                self._lines_skipped += data.count(b"\n", at, len(data) if end < 0 else end)
                if end < 0:
                    return None
                self._quoted, at = False, end + 1
                continue
            newline, quote = data.find(b"\n", at), data.find(b'"', at)
            if newline >= 0 and not 0 <= quote < newline:
                return newline + 1
            if quote < 0:
                return None
            self._quoted, at = True, quote + 1
        return None


def _text(piece: bytes) -> StringIO:
    return StringIO(piece.decode("utf-8", "surrogateescape"), newline="\n")


def _line_ends(piece: bytes) -> list[int]:
    """Return where each line ends, beginning with 0 for none."""
    ends = [0]
    for line in piece.split(b"\n"):
        ends.append(ends[-1] + len(line) + 1)
    ends[-1] -= 1
    return ends
