"""Texts of JSON: what is wrong with one, and what it holds that has to be looked for."""

import re
from typing import Final

import msgspec

from rules.errors import BAD_JSON, TOO_DEEP, Code

BOM: Final = b"\xef\xbb\xbf"
"""A byte order mark, with which some writers of files begin them; it says nothing."""

_DIGITS_AS_ZERO: Final = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_LONG: Final = b"0" * 16
_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][\da-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape, or two that are a pair; `half` is one of a pair, alone."""

_decode = msgspec.json.Decoder().decode
_check_grammar = msgspec.json.Decoder(msgspec.Raw).decode


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
    return BAD_JSON, _held(error, body) or f"The JSON breaks off (byte {len(body)})."


def unkept(text: bytes) -> str | None:
    """Return which value JSON holds that no record may (a number past all doubles, half a pair), or None.

    Raises: msgspec.DecodeError, UnicodeDecodeError, RecursionError where the text is no JSON.
    """
    try:
        _decode(text)
    except msgspec.DecodeError as error:
        _check_grammar(_ESCAPE.sub(lambda match: b"\\ufffd" if match["half"] else match[0], text))
        message = _held(error, text)
        if message is None:
            raise
        return message
    return None


def _held(error: Exception, text: bytes) -> str | None:
    if "out of range" in str(error):
        return "The JSON holds a number that no double can hold."
    half = next((match.start() for match in _ESCAPE.finditer(text) if match["half"]), None)
    return None if half is None else f"The JSON holds a lone surrogate (byte {half})."


def _utf8_break(body: bytes) -> int:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)
