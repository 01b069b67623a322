"""Compressed bodies of any length, decompressed as they come and never further than is asked for."""

import zlib
from collections.abc import Iterator
from typing import Final

from rules.errors import BAD_ENCODING, UNSUPPORTED_ENCODING, Problem

_GZIP: Final = 16 + zlib.MAX_WBITS
_WINDOWS: Final = {b"gzip": _GZIP, b"x-gzip": _GZIP, b"deflate": zlib.MAX_WBITS}
_STEP: Final = 256 * 1024


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

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what more bytes of the body give, in pieces of at most 256 KB.

        Raises: Problem(bad_encoding).
        """
        if self._stream is None:
            yield data
            return
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
                yield piece

    def end(self) -> None:
        """The body is whole. Raises: Problem(bad_encoding) where what was compressed is not."""
        if self._stream is not None and not self._stream.eof:
            raise self._broken("it is cut short")

    def _begin(self, first: int) -> None:
        self._begun = True
        if self._bits == zlib.MAX_WBITS and first & 0x0F != 8:
            # some clients send raw deflate under the name of deflate
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def _next_member(self) -> None:
        if self._bits != _GZIP:
            raise self._broken("something stands behind its end")
        self._stream = zlib.decompressobj(_GZIP)

    def _broken(self, why: str) -> Problem:
        return Problem(BAD_ENCODING, f"The {self._name} body is broken: {why}.")
