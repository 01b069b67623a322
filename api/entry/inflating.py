"""Compressed bodies of any length, decompressed as they come and never further than is asked for."""

import zlib
from collections.abc import Iterator
from typing import Final

from rules.errors import BAD_ENCODING, UNSUPPORTED_ENCODING, Problem

_GZIP: Final = 16 + zlib.MAX_WBITS
_WINDOWS: Final = {b"gzip": _GZIP, b"x-gzip": _GZIP, b"deflate": zlib.MAX_WBITS}
_STEP: Final = 256 * 1024
_WINDOW: Final = 64 * 1024
_MEMBERS: Final = 1_000
_LEAST: Final = 1_024
"""Members that a body may have however little is in them, and bytes that each one more must bring on average:
beginning one costs as much as a kilobyte does, and of empty ones no other limit would ever be reached."""


class Inflating:
    """Decompresses one body by its Content-Encoding: gzip (several members), deflate, or none at all.

    Raises: Problem(unsupported_encoding).
    """

    def __init__(self, encoding: bytes | None) -> None:
        name = (encoding or b"").strip().lower()
        self._name = name.decode("latin-1")
        self._bits = None if name in (b"", b"identity") else _WINDOWS.get(name)
        if self._bits is None and name not in (b"", b"identity"):
            raise Problem(
                UNSUPPORTED_ENCODING, f"Content-Encoding {self._name[:40]!r}: send gzip, deflate or identity."
            )
        self._stream = None if self._bits is None else zlib.decompressobj(self._bits)
        self._begun = False
        self._members = 1
        self._size = 0

    @property
    def plain(self) -> bool:
        """Whether bytes are given as they come."""
        return self._stream is None

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what more bytes of the body give, in pieces of at most 256 KB.

        Raises: Problem(bad_encoding).
        """
        if self._stream is None:
            yield data
            return
        source = memoryview(data)
        # in windows: what a piece leaves over is copied, once for each of them
        for at in range(0, len(source), _WINDOW):
            yield from self._inflate(bytes(source[at : at + _WINDOW]))

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        assert self._stream is not None
        more = False
        while data or more:
            if self._stream.eof:
                self._next_member()
            if not self._begun:
                self._begin(data[0])
            try:
                piece = self._stream.decompress(data, _STEP)
            except zlib.error as error:
                raise self._broken(str(error)) from error
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            more = len(piece) == _STEP and not self._stream.eof
            if piece:
                self._size += len(piece)
                yield piece

    def end(self) -> None:
        """The body is whole. Raises: Problem(bad_encoding) where what was compressed is not."""
        if self._stream is not None and self._begun and not self._stream.eof:
            raise self._broken("it is cut short")

    def _begin(self, first: int) -> None:
        self._begun = True
        if self._bits == zlib.MAX_WBITS and first & 0x0F != 8:
            # some clients send raw deflate under the name of deflate
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def _next_member(self) -> None:
        if self._bits != _GZIP:
            raise self._broken("something stands behind its end")
        self._members += 1
        if self._members > _MEMBERS + self._size // _LEAST:
            raise self._broken(f"it has {self._members} members with {self._size} bytes in all")
        self._stream = zlib.decompressobj(_GZIP)

    def _broken(self, why: str) -> Problem:
        return Problem(BAD_ENCODING, f"The {self._name} body is broken: {why}.")
