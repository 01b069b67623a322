"""The strict parser of line protocol: one line at a time, every rule of the grammar, errors with a place.

The grammar is the one InfluxData publishes for line protocol (EBNF, version 2), less what the contract says
otherwise: in a text only `\\"` and `\\\\` are escapes, of a field given twice the last counts, and a tag
given twice, U+0000 and numbers that are not finite are refused. Every pattern is possessive: a line takes
time proportional to its length, whatever it holds.
"""

import re
from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from api.influx.point import AUTO, Point, unit_of
from rules.schema.dataset import ColumnType
from rules.schema.moments import MAX_MOMENT, MIN_MOMENT
from rules.schema.points import Shape
from rules.schema.values import MAX_INTEGER, MAX_UNSIGNED, MIN_INTEGER

_SPACES: Final = re.compile(r" *+")
MEASUREMENT: Final = re.compile(r"(?:[^\x00-\x20\x7f,\\]|\\++[^\\\x00-\x1f\x7f])++")
_KEY: Final = re.compile(r"(?:[^\x00-\x20\x7f,=\\]|\\++[^\\\x00-\x1f\x7f])++")
_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_BARE: Final = re.compile(r"[^ ,\r\n]*+")
_LINE: Final = re.compile(r"[^\n]*+\n?")
_END: Final = re.compile(r" *+(?:\r?\n|\r?\Z)")
_STAMP: Final = re.compile(r"-?[0-9]++(?=[ \r\n]|\Z)")
_COMMENT: Final = re.compile(r"#[^\x00-\x08\x0a-\x1f\x7f]*+(?:\r?\n|\r?\Z)")
_REST: Final = re.compile(r'(?:[^"\n\\]|\\.|\\(?=\n)|"(?>(?:[^"\\]|\\(?s:.))*+")(?=[, \r\n]|\Z))*+\r?\n')

_INTEGER: Final = re.compile(r"(-?)0*+([0-9]{1,19})i|-?0++i")
_UNSIGNED: Final = re.compile(r"0*+([0-9]{1,20})u|0++u")
_FLOAT: Final = re.compile(
    r"-?(?:[0-9]++(?:\.[0-9]*+(?:[eE][+-]?[0-9]++)?)?|[0-9]++[eE][+-]?[0-9]++|\.[0-9]++(?:[eE][+-]?[0-9]++)?)"
)
_ANY_INTEGER: Final = re.compile(r"-?[0-9]++[iu]")
_BOOLEANS: Final = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}

unescape_name = re.compile(r"\\([, ])").sub
_unescape_key = re.compile(r"\\([,= ])").sub
_unescape_text = re.compile(r'\\(["\\])').sub

_SHOWN: Final = 40
_STAMP_DIGITS: Final = 40


class LineError(Exception):
    """A line that is no line protocol: why, and the offset in the body where the next one begins."""

    def __init__(self, message: str, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.end = end


class _Wrong(Exception):
    """What is wrong at an offset; `behind` says that a text over several lines stands before it."""

    def __init__(self, at: int, message: str, *, behind: bool = False) -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.behind = behind


def read_line(text: str, start: int, scale: int) -> tuple[Point | None, int]:
    """Return the point of the line at `start`, None for a blank one or a comment, and where the next begins.

    `scale` is the nanoseconds of the timestamps' unit, `AUTO` to tell by their size.

    Raises: LineError.
    """
    at = _skip(text, start)
    ended = _END.match(text, at)
    if ended is not None:
        return None, ended.end()
    if text.startswith("#", at):
        comment = _COMMENT.match(text, at)
        if comment is None:
            raise LineError("a comment holds a control character", _line_end(text, at))
        return None, comment.end()
    try:
        return _point(text, at, scale)
    except _Wrong as wrong:
        column = wrong.at - start + 1
        end = _line_end(text, start) if wrong.behind else _resume(text, wrong.at)
        raise LineError(f"{wrong.message} (column {column})", end) from None


def _point(text: str, at: int, scale: int) -> tuple[Point, int]:
    name = MEASUREMENT.match(text, at)
    if name is None:
        raise _Wrong(at, "a measurement is missing" if text[at] == "," else _odd(text, at, "a measurement"))
    at = name.end()
    tags: dict[str, str] = {}
    while text.startswith(",", at):
        key, at = _key(text, at + 1, "tag key")
        value, at = _tag_value(text, at, key)
        if key in tags:
            raise _Wrong(at, f"the tag {_shown(key)} is given twice")
        tags[key] = value
    at = _gap(text, at, "fields are missing")
    fields: dict[str, tuple[ColumnType, Any]] = {}
    begun = at
    while True:
        key, at = _key(text, at, "field key")
        if not text.startswith("=", at):
            raise _Wrong(at, f"the field {_shown(key)} has no value: '=' is missing")
        kind, value, at = _value(text, at + 1, key)
        fields.pop(key, None)
        fields[key] = kind, value
        if not text.startswith(",", at):
            break
        at += 1
    behind = text.find("\n", begun, at) >= 0
    time, at = _time(text, at, scale, behind)
    shape = Shape(
        unescape_name(r"\1", name[0]),
        tuple(tags),
        tuple(fields),
        tuple(kind for kind, _ in fields.values()),
        time is not None,
    )
    return Point(shape, (*tags.values(), *(value for _, value in fields.values())), time), at


def _key(text: str, at: int, what: str) -> tuple[str, int]:
    found = _KEY.match(text, at)
    if found is None:
        raise _Wrong(
            at, f"a {what} is missing" if text[at : at + 1] in ",= " else _odd(text, at, f"a {what}")
        )
    return _unescape_key(r"\1", found[0]), found.end()


def _tag_value(text: str, at: int, key: str) -> tuple[str, int]:
    if not text.startswith("=", at):
        raise _Wrong(at, f"the tag {_shown(key)} has no value: '=' is missing")
    found = _KEY.match(text, at + 1)
    if found is None:
        raise _Wrong(at + 1, f"the tag {_shown(key)} has no value")
    if text.startswith("=", found.end()):
        raise _Wrong(found.end(), f"the value of the tag {_shown(key)} holds '='; write it '\\='")
    return _unescape_key(r"\1", found[0]), found.end()


def _gap(text: str, at: int, otherwise: str) -> int:
    spaces = _skip(text, at)
    if spaces == at and _END.match(text, at) is None:
        raise _Wrong(at, _odd(text, at, "a tag or a space"))
    if _END.match(text, spaces) is not None:
        raise _Wrong(spaces, otherwise)
    return spaces


def _value(text: str, at: int, key: str) -> tuple[ColumnType, Any, int]:
    if text.startswith('"', at):
        return _quoted(text, at, key)
    bare = _BARE.match(text, at)
    assert bare is not None, "it matches the empty text"
    token = bare[0]
    for read in _READERS:
        found = read(token, at)
        if found is not None:
            return *found, bare.end()
    if not token:
        raise _Wrong(at, f"the field {_shown(key)} has no value")
    raise _Wrong(at, f"the value {_shown(token)} is no number, no boolean and no quoted text")


def _quoted(text: str, at: int, key: str) -> tuple[ColumnType, str, int]:
    found = _TEXT.match(text, at)
    if found is None:
        raise _Wrong(at, f"the text of the field {_shown(key)} has no closing quote", behind=True)
    end, inner = found.end(), found[1]
    if end < len(text) and text[end] not in ", \r\n":
        raise _Wrong(end, f"something follows the closing quote of {_shown(key)}", behind="\n" in inner)
    if "\x00" in inner:
        raise _Wrong(end, f"the text of the field {_shown(key)} holds U+0000")
    return ColumnType.STRING, _unescape_text(r"\1", inner) if "\\" in inner else inner, end


def _integer(token: str, at: int) -> tuple[ColumnType, int] | None:
    found = _INTEGER.fullmatch(token)
    if found is not None:
        value = int((found[1] or "") + (found[2] or "0"))
        if MIN_INTEGER <= value <= MAX_INTEGER:
            return ColumnType.INTEGER, value
    if found is not None or (token.endswith("i") and _ANY_INTEGER.fullmatch(token)):
        raise _Wrong(at, f"the integer {_shown(token)} is outside -2^63 to 2^63-1")
    return None


def _unsigned(token: str, at: int) -> tuple[ColumnType, int] | None:
    found = _UNSIGNED.fullmatch(token)
    if found is not None:
        value = int(found[1] or "0")
        if value <= MAX_UNSIGNED:
            return ColumnType.UNSIGNED, value
    if found is not None or (token.endswith("u") and _ANY_INTEGER.fullmatch(token)):
        raise _Wrong(at, f"the unsigned integer {_shown(token)} is outside 0 to 2^64-1")
    return None


def _float(token: str, at: int) -> tuple[ColumnType, float] | None:
    if _FLOAT.fullmatch(token) is None:
        return None
    value = float(token)
    if not isfinite(value):
        raise _Wrong(at, f"the number {_shown(token)} is larger than a double can hold")
    return ColumnType.NUMBER, value


def _boolean(token: str, _: int) -> tuple[ColumnType, bool] | None:
    value = _BOOLEANS.get(token)
    return None if value is None else (ColumnType.BOOLEAN, value)


_READERS: Final[tuple[Callable[[str, int], tuple[ColumnType, Any] | None], ...]] = (
    _integer,
    _unsigned,
    _float,
    _boolean,
)


def _time(text: str, at: int, scale: int, behind: bool) -> tuple[int | None, int]:
    ended = _END.match(text, at)
    if ended is not None:
        return None, ended.end()
    spaces = _skip(text, at)
    if spaces == at:
        raise _Wrong(at, _odd(text, at, "',' or a space"), behind=behind)
    stamp = _STAMP.match(text, spaces)
    if stamp is None:
        raise _Wrong(spaces, "the timestamp is no whole number", behind=behind)
    ended = _END.match(text, stamp.end())
    if ended is None:
        raise _Wrong(stamp.end(), "something follows the timestamp", behind=behind)
    digits = stamp[0]
    if len(digits) <= _STAMP_DIGITS:
        value = int(digits)
        value *= unit_of(value) if scale == AUTO else scale
        if MIN_MOMENT <= value <= MAX_MOMENT:
            return value, ended.end()
    raise _Wrong(spaces, f"the timestamp {_shown(digits)} is outside what nanoseconds in 64 bits can hold")


def _skip(text: str, at: int) -> int:
    found = _SPACES.match(text, at)
    assert found is not None, "it matches the empty text"
    return found.end()


def _line_end(text: str, at: int) -> int:
    found = _LINE.match(text, at)
    assert found is not None, "it matches the empty text"
    return found.end()


def _resume(text: str, at: int) -> int:
    """Return where the line ends in which something is wrong at `at`: a text in it may go over lines."""
    found = _REST.match(text, at)
    return _line_end(text, at) if found is None else found.end()


def _odd(text: str, at: int, wanted: str) -> str:
    if at >= len(text) or text[at] in "\r\n":
        return f"{wanted} is missing"
    return f"{_shown(text[at])} stands where {wanted} is expected"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
