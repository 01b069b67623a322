"""Texts of JSON: what is wrong with one, and what it holds that has to be looked for."""

import json
import re
from typing import Any, Final

import msgspec

from rules.errors import BAD_JSON, TOO_DEEP, Code

BOM: Final = b"\xef\xbb\xbf"
"""A byte order mark, with which some writers of files begin them; it says nothing."""

_DIGITS_AS_ZERO: Final = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_LONG: Final = b"0" * 16
_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_HALF: Final = re.compile(
    rb"\\u[dD](?:[89abAB][\da-fA-F]{2}(?!\\u[dD][c-fC-F][\da-fA-F]{2})"
    rb"|[c-fC-F][\da-fA-F]{2}(?<!\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}))"
)
"""The escape of a high surrogate with no low one behind it, or of a low one with no high one before it."""

_decode = msgspec.json.Decoder().decode


class BrokenText(Exception):
    """A text is no JSON: from which byte, and what is wrong there."""

    def __init__(self, at: int, words: str) -> None:
        super().__init__(f"{words} (byte {at})")


def is_plain(body: bytes) -> bool:
    """Return whether a text holds no run of 16 digits, no U+0000 and no escape of one."""
    # a regex takes twenty times as long for the same answer
    return b"\\u0000" not in body and b"\0" not in body and _LONG not in body.translate(_DIGITS_AS_ZERO)


def words_of(error: Exception, body: bytes) -> tuple[Code, str]:
    """Return what is wrong with a text that is no JSON, and where."""
    if isinstance(error, RecursionError):
        return TOO_DEEP, "The JSON is nested deeper than the limit."
    if not body.strip():
        return BAD_JSON, "The body is empty (byte 0); send a JSON array of objects, or one object."
    if isinstance(error, UnicodeDecodeError):
        return BAD_JSON, f"The body is not valid UTF-8 (byte {_utf8_break(body)})."
    if _BYTE.search(str(error)) is not None:
        return BAD_JSON, f"{error}."
    return BAD_JSON, held(error, body) or f"The JSON breaks off (byte {len(body)})."


def held(error: Exception, text: bytes) -> str | None:
    """Return which value a text holds that no record may: a number past all doubles, half a pair; or None."""
    if "out of range" in str(error):
        return "The JSON holds a number that no double can hold."
    half = _half(text)
    return None if half is None else f"The JSON holds a lone surrogate (byte {half})."


def read_member(text: bytes, at: int) -> tuple[Any, str | None]:
    """Return the value of a JSON text, or None and which value it holds that no record may.

    Raises: BrokenText where it is no JSON, counted from a body in which it begins at `at`; RecursionError.
    """
    try:
        return _decode(text), None
    except UnicodeDecodeError as error:
        raise BrokenText(at + _utf8_break(text), "The body is not valid UTF-8") from error
    except msgspec.DecodeError as error:
        _check_grammar(text, at)
        message = held(error, text)
        if message is None:
            raise BrokenText(at, f"What begins here is no JSON: {error}") from error
        return None, message


def _check_grammar(text: bytes, at: int) -> None:
    """Look at all of a text: the decoder stops at the first value it can't hold. Raises: BrokenText."""
    try:
        shown = text.decode()
        _GRAMMAR.decode(shown)
    except UnicodeDecodeError as error:
        raise BrokenText(at + error.start, "The body is not valid UTF-8") from error
    except json.JSONDecodeError as error:
        place = at + len(shown[: error.pos].encode())
        raise BrokenText(place, f"JSON is malformed: {error.msg}") from error
    except _ConstantError as error:
        raise BrokenText(at, f"JSON is malformed: what begins here holds {error}") from error


class _ConstantError(Exception):
    """A text holds a word that is a number in JavaScript and none in JSON."""


def _refuse_constant(name: str) -> None:
    raise _ConstantError(name)


_GRAMMAR: Final = json.JSONDecoder(parse_int=float, parse_constant=_refuse_constant)


def _half(text: bytes) -> int | None:
    if b"\\ud" not in text and b"\\uD" not in text:
        return None
    # then each backslash begins an escape; not in a loop of Python's: a body can be nothing but escapes
    found = _HALF.search(text.replace(b"\\\\", b"//"))
    return None if found is None else found.start()


def _utf8_break(body: bytes) -> int:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)
