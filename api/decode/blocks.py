"""Large bodies in blocks: the records that end within a window of bytes, whatever pieces the bytes came in.

Where a block ends depends on nothing but the bytes behind the block before it. So a load that is resumed
in the middle is cut as it was the first time, and a part that was written then is recognised.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from api.decode.texts import is_plain
from rules.errors import RECORD_TOO_LARGE, Code

WINDOW: Final = 64 * 1024
"""Bytes in which the records of a block end: what the loop decodes, checks and encodes without keeping others
waiting. A single larger record has a block of its own."""

MOST: Final = 1_000
"""Records of a block, so that tiny ones, or ones that are all refused, keep nobody waiting either."""


class Place(Struct, frozen=True, array_like=True):
    """Where a block begins: the byte, the record's index, the line (in JSON texts: the record's number).

    `block` is the block's own number; `ended` says that only space may follow.
    """

    at: int = 0
    index: int = 0
    line: int = 1
    block: int = 0
    ended: bool = False


class Refused(Struct, frozen=True):
    """A record that can't be read: its index and line, and why."""

    index: int
    line: int
    code: Code
    message: str


class Block(Struct, frozen=True):
    """Members of a body in their order, not looked at yet: JSON values, or the cells of CSV rows.

    `indexes` and `lines` place each row; `plain` promises that the text was UTF-8, and held no run of 16
    digits and no U+0000. `after` is where the next block begins.
    """

    number: int
    rows: list[Any]
    indexes: Sequence[int]
    lines: Sequence[int]
    refused: list[Refused]
    plain: bool
    size: int
    after: Place

    @property
    def read(self) -> int:
        """How many records it holds, those that can't be read too."""
        return len(self.rows) + len(self.refused)


class Taken(Struct):
    """What a format found in a window: rows with the indexes and lines they have, and bytes used."""

    rows: list[Any]
    indexes: Sequence[int]
    lines: Sequence[int]
    refused: list[Refused]
    used: int
    next_line: int


class BrokenError(Exception):
    """The body can't be read on; the message says where and why."""


class Blocks(ABC):
    """Cuts a body into blocks as its bytes come. Feed it, and take what it has, until it has no more."""

    def __init__(self, place: Place, record_bytes: int) -> None:
        self._place = place
        self._record_bytes = record_bytes
        self._buffer = b""
        self._from = 0
        self._ended = False
        self._closed = place.ended
        self._single = False
        self._skipping = False
        self._skipped = 0
        self._lines_skipped = 1

    def feed(self, data: bytes) -> None:
        """Take in more bytes; the first ones are those at the place it was made for."""
        self._buffer = self._buffer[self._from :] + data
        self._from = 0

    def end(self) -> None:
        """There are no more bytes."""
        self._ended = True

    def next(self) -> Block | None:
        """Return the next block, None where more bytes are needed or, after the end, nothing is left.

        Raises: BrokenError.
        """
        if self._skipping:
            return self._skip_on()
        window = WINDOW
        while True:
            have = len(self._buffer) - self._from
            if have <= window and not self._ended:
                return None
            if not have:
                self._finish()
                return None
            self._single = window > WINDOW
            taken = self._take(self._buffer[self._from : self._from + window], last=have <= window)
            if taken is not None:
                return self._block(taken)
            if window > self._record_bytes:
                self._skipping = True
                return self._skip_on()
            window = min(2 * window, self._record_bytes + 1)

    @abstractmethod
    def _take(self, window: bytes, *, last: bool) -> Taken | None:
        """Return the records that end in the window, the first alone where `_single`; None where none does.

        `last`: nothing follows the window. Raises: BrokenError.
        """

    @abstractmethod
    def _skip(self, data: bytes) -> int | None:
        """Go on through a record that is too large: return the bytes up to its end, None where it goes on."""

    def _finish(self) -> None:  # noqa: B027 - most formats have nothing to say of their end
        """Look at the end of the body. Raises: BrokenError."""

    def _skip_on(self) -> Block | None:
        rest = self._buffer[self._from :]
        used = self._skip(rest)
        if used is None and not self._ended:
            self._forget(rest, len(rest))
            return None
        self._forget(rest, len(rest) if used is None else used)
        self._skipping = False
        message = f"The record has more than {self._record_bytes} bytes, the most that is allowed."
        place = self._place
        after = Place(
            place.at + self._skipped,
            place.index + 1,
            place.line + self._lines_skipped,
            place.block + 1,
            self._closed,
        )
        self._place, self._skipped, self._lines_skipped = after, 0, 1
        refused = Refused(place.index, place.line, RECORD_TOO_LARGE, message)
        return Block(place.block, [], (), (), [refused], True, 0, after)

    def _forget(self, rest: bytes, used: int) -> None:
        self._skipped += used
        self._buffer, self._from = rest[used:], 0

    def _block(self, taken: Taken) -> Block:
        place = self._place
        piece = self._buffer[self._from : self._from + taken.used]
        read = len(taken.rows) + len(taken.refused)
        after = Place(
            place.at + taken.used, place.index + read, taken.next_line, place.block + 1, self._closed
        )
        self._from, self._place = self._from + taken.used, after
        plain = is_plain(piece) and _is_utf8(piece)
        return Block(
            place.block, taken.rows, taken.indexes, taken.lines, taken.refused, plain, len(piece), after
        )


def _is_utf8(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


def first_lines(piece: bytes) -> bytes:
    """Return the first `MOST` lines of some that are whole."""
    if piece.count(b"\n") <= MOST:
        return piece
    return piece[: len(piece) - len(piece.split(b"\n", MOST)[-1])]
