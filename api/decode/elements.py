"""A JSON array, or JSON objects one after another, as blocks of their members.

Most windows are decoded in one call, up to the last place that looks like the end of a member: where that
guess is wrong the text up to it is no JSON, so a wrong guess is never believed. All else goes through a
scan for the members' ends, which knows strings and brackets only, and each member is decoded alone: one
that is no JSON is refused, and the others are read.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from api.decode.blocks import MOST, Blocks, BrokenError, Place, Refused, Taken
from api.decode.texts import BrokenText, words_of
from rules.errors import BAD_LINE, RECORD_TOO_LARGE

_decode = msgspec.json.Decoder().decode

_TAIL: Final = 16 * 1024
_GUESSES: Final = 3
_BETWEEN: Final = re.compile(rb"\}[ \t\r\n]*+,[ \t\r\n]*+(?=\{)")
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_SCALAR: Final = re.compile(rb"[^,\[\]{}\" \t\r\n]++")
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]"]', re.DOTALL)
_INSIDE: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_MARK: Final = re.compile(rb'["{}\[\],]')
_OPENING: Final = frozenset(b"{[")
_QUOTE, _COMMA, _END = b'",]'
_FAILURES: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Elements(Blocks):
    """Blocks of the members of an array; with `framed` false, of the values of a text without one.

    The line of a member is its number, from 1.
    """

    def __init__(self, place: Place, record_bytes: int, *, framed: bool = True) -> None:
        super().__init__(place, record_bytes)
        self._framed = framed
        self._depth = 0
        self._quoted = False
        self._escaped = False
        self._opened = not framed

    def _take(self, window: bytes, *, last: bool) -> Taken | None:
        at = _space(window, 0)
        if self._framed and self._place.block == 0:
            at = _space(window, at + 1)
        if self._closed:
            return self._rest(window, at)
        if at == len(window) and not last:
            return self._taken([], [], [], at)
        if self._framed and not self._place.index and window[at : at + 1] == b"]":
            self._closed = True
            return self._rest(window, _space(window, at + 1))
        self._check_member(window, at)
        if self._framed and not self._single and len(window) <= self._record_bytes:
            taken = self._guessed(window, at, last=last)
            if taken is not None:
                return taken
        return self._scanned(window, at, last=last)

    def _rest(self, window: bytes, at: int) -> Taken:
        """Take what stands behind the array, where only space may stand."""
        if at < len(window):
            raise BrokenError(f"Something stands behind the end of the array (byte {self._place.at + at}).")
        return self._taken([], [], [], len(window))

    def _guessed(self, window: bytes, at: int, *, last: bool) -> Taken | None:
        if last:
            try:
                rows = _decode(b"[" + window[at:])
            except _FAILURES:
                return None
            if len(rows) > MOST:
                return None
            self._closed = True
            return self._whole(rows, len(window))
        ends = [*_BETWEEN.finditer(window, max(at, len(window) - _TAIL))][-_GUESSES:]
        for end in reversed(ends):
            try:
                rows = _decode(b"[" + window[at : end.start() + 1] + b"]")
            except _FAILURES:
                continue
            return self._whole(rows, end.end()) if len(rows) <= MOST else None
        return None

    def _whole(self, rows: list[Any], used: int) -> Taken:
        first = self._place.index
        indexes = range(first, first + len(rows))
        return Taken(rows, indexes, range(first + 1, first + 1 + len(rows)), [], used, first + 1 + len(rows))

    def _scanned(self, window: bytes, at: int, *, last: bool) -> Taken | None:
        rows: list[Any] = []
        indexes: list[int] = []
        refused: list[Refused] = []
        used, index = at, self._place.index
        while at < len(window):
            self._check_member(window, at)
            end = end_of_value(window, at)
            follows = None if end is None else self._behind(window, end, last=last)
            if end is None or follows is None:
                if last:
                    self._broken_off(window, at, index)
                break
            self._decode_one(window[at:end], index, rows, indexes, refused)
            index += 1
            at = used = follows
            if self._closed:
                return self._taken(rows, indexes, refused, self._rest(window, at).used)
            if self._single or index - self._place.index >= MOST:
                return self._taken(rows, indexes, refused, used)
        if last and self._framed:
            self._broken_off(window, at, index)
        if index == self._place.index and not last:
            return None
        return self._taken(rows, indexes, refused, len(window) if last else used)

    def _check_member(self, window: bytes, at: int) -> None:
        """Let what begins at a place be a member: the array's end is none. Raises: BrokenError."""
        if self._framed and window[at : at + 1] == b"]":
            raise BrokenError(
                f"The JSON breaks at byte {self._place.at + at}: a record was expected behind the comma."
            )

    def _behind(self, window: bytes, end: int, *, last: bool) -> int | None:
        """Return where the next member begins, None where the window does not tell."""
        at = _space(window, end)
        if not self._framed:
            return at if at < len(window) or last else None
        if at == len(window):
            return None
        if window[at : at + 1] == b",":
            at = _space(window, at + 1)
            return at if at < len(window) else None
        if window[at : at + 1] == b"]":
            self._closed = True
            return _space(window, at + 1)
        raise BrokenError(
            f"The JSON breaks at byte {self._place.at + at}: a comma or the array's end was expected."
        )

    def _broken_off(self, window: bytes, at: int, index: int) -> None:
        raise BrokenError(
            f"The JSON breaks off at byte {self._place.at + len(window)}, within or behind record "
            f"{index + 1}, which begins at byte {self._place.at + at}."
        )

    def _decode_one(
        self, text: bytes, index: int, rows: list[Any], indexes: list[int], refused: list[Refused]
    ) -> None:
        if len(text) > self._record_bytes:
            message = f"The record has {len(text)} bytes; {self._record_bytes} are allowed."
            refused.append(Refused(index, index + 1, RECORD_TOO_LARGE, message))
            return
        try:
            rows.append(_decode(text))
        except _FAILURES as error:
            refused.append(Refused(index, index + 1, BAD_LINE, words_of(error, text)[1]))
        else:
            indexes.append(index)

    def _taken(self, rows: list[Any], indexes: list[int], refused: list[Refused], used: int) -> Taken:
        lines = [index + 1 for index in indexes]
        after = self._place.index + len(rows) + len(refused) + 1
        return Taken(rows, indexes, lines, refused, used, after)

    def _finish(self) -> None:
        if self._framed and not self._closed:
            raise BrokenError(f"The JSON breaks off at byte {self._place.at}: the array has no end.")

    def _skip(self, data: bytes) -> int | None:
        """Go on over the member, and over the comma or the end of the array behind it."""
        at = 0
        while at < len(data):
            if self._quoted:
                at = self._skip_string(data, at)
                continue
            mark = _MARK.search(data, at)
            if mark is None:
                return None
            at = mark.end()
            if self._passes(data[mark.start()]):
                self._depth = 0
                return at
        return None

    def _passes(self, mark: int) -> bool:
        """Take a mark outside of strings into account; return whether the member ends with it."""
        if mark == _QUOTE:
            self._quoted = True
        elif mark in _OPENING:
            frame = not self._opened and self._place.block == 0
            self._opened = True
            self._depth += not frame
        elif mark == _COMMA:
            return self._framed and self._depth == 0
        elif self._depth:
            self._depth -= 1
            return not self._framed and self._depth == 0
        elif self._framed and mark == _END:
            self._closed = True
            return True
        return False

    def _skip_string(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            return at + 1
        match = _INSIDE.match(data, at)
        end = at if match is None else match.end()
        if end < len(data):
            self._escaped = data[end] != _QUOTE
            self._quoted = self._escaped
        return end + 1


def members_of(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the members of an array in their order: where each begins, and its text, looked at no further.

    Raises: BrokenText where the text is no array, once that is found.
    """
    at = _space(text, 0)
    mark = text[at : at + 1]
    if mark != b"[":
        raise BrokenText(at, "An array was expected")
    at = _space(text, at + 1)
    while mark != b"]" and at < len(text):
        end = end_of_value(text, at)
        if end is None:
            raise BrokenText(len(text), "The JSON breaks off")
        yield at, text[at:end]
        at = _space(text, end)
        mark = text[at : at + 1]
        if mark not in (b",", b"]"):
            raise BrokenText(at, "A comma or the array's end was expected")
        at = _space(text, at + 1)
    if mark != b"]":
        raise BrokenText(at, "The JSON breaks off")
    if at < len(text):
        raise BrokenText(at, "Something stands behind the end of the array")


def end_of_value(text: bytes, at: int) -> int | None:
    """Return where the JSON value that begins at `at` ends, None where the text ends first.

    Strings and brackets are followed, nothing is checked: what comes between is the decoder's to judge.
    """
    first = text[at]
    if first not in _OPENING and first != _QUOTE:
        match = _SCALAR.match(text, at)
        end = at + 1 if match is None else match.end()
        return end if end < len(text) else None
    depth = 0
    for token in _TOKEN.finditer(text, at):
        mark = text[token.start()]
        if mark == _QUOTE:
            if token.end() == token.start() + 1:
                return None
            if not depth:
                return token.end()
        elif mark in _OPENING:
            depth += 1
        else:
            depth -= 1
            if depth <= 0:
                return token.end()
    return None


def _space(text: bytes, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()
