"""The words of a condition: source text to tokens, literals to values.

The lexical rules are CEL's (language definition, "Syntax"), with three differences: an identifier may have
any Unicode letters, any name may stand between backticks (so that every column can be named), and bytes
and unsigned literals are refused.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from rules.condition.tree import Scalar

TokenKind = Literal["name", "quoted name", "number", "text", "operator", "end"]

SMALLEST_INTEGER: Final = -(2**63)
LARGEST_INTEGER: Final = 2**64 - 1

_TOKEN: Final = re.compile(
    r"""
      (?P<skip>     [ \t\r\n\f]+ | //[^\n]* )
    | (?P<bytes>    (?:[bB][rR]?|[rR][bB]) ["'] )
    | (?P<raw>      [rR] (?: \"{3}[\s\S]*?\"{3} | '{3}[\s\S]*?'{3} | "[^"\r\n]*" | '[^'\r\n]*' ) )
    | (?P<text>     \"{3}(?:[^\\]|\\[\s\S])*?\"{3} | '{3}(?:[^\\]|\\[\s\S])*?'{3}
                  | "(?:[^"\\\r\n]|\\[^\r\n])*" | '(?:[^'\\\r\n]|\\[^\r\n])*' )
    | (?P<number>   0[xX][0-9a-fA-F]+ | (?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)? )
    | (?P<quoted>   `[^`\r\n]+` )
    | (?P<name>     [^\W\d]\w* )
    | (?P<operator> && | \|\| | [=!<>]= | [-+*/%<>!()\[\],.] )
    """,
    re.VERBOSE,
)
_AFTER_NUMBER: Final = re.compile(r"\w*")
_ESCAPE: Final = re.compile(
    r"""\\(?: ([abfnrtv\\?"'`]) | [xX]([0-9a-fA-F]{2}) | u([0-9a-fA-F]{4}) | U([0-9a-fA-F]{8})
            | ([0-3][0-7]{2}) | [\s\S] )""",
    re.VERBOSE,
)
_SIMPLE_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_FOREIGN: Final = {
    "?": "the conditional operator '?:' is not supported; write two conditions joined by '&&' and '||'",
    ":": "neither '?:' nor maps are supported",
    "{": "map and message literals are not supported",
    "}": "map and message literals are not supported",
    "=": "equality is written '=='",
    "&": "'and' is written '&&'",
    "|": "'or' is written '||'",
    ";": "a condition is one expression",
}


class ConditionError(Exception):
    """A source that is no condition. `str()` is a sentence that names the place, counted from 1.

    `position` is the same place as an offset in characters from the start of the source, from 0.
    """

    def __init__(self, what: str, position: int, advice: str = "") -> None:
        self.message = f"{what} at character {position + 1}" + (f"; {advice}" if advice else "")
        self.position = position
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class Token:
    """One word: `text` as written, `value` what a literal stands for or a name without its backticks."""

    kind: TokenKind
    text: str
    value: Scalar
    at: int


def tokens(source: str) -> Iterator[Token]:
    """Yield the tokens of `source`, without spaces and comments, and one of kind "end" for ever after.

    Raises: ConditionError, when it comes to text that is no token.
    """
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise _no_token(source, at)
        kind, text = str(match.lastgroup), match[0]
        if kind != "skip":
            yield _token(kind, text, at, source)
        at = match.end()
    while True:
        yield Token("end", "", None, at)


def shown(token: Token) -> str:
    """Return a token as a message names it, cut to 40 characters."""
    if token.kind == "end":
        return "end of the condition"
    return f"'{token.text}'" if len(token.text) <= 40 else f"'{token.text[:39]}…'"


def _token(kind: str, text: str, at: int, source: str) -> Token:
    match kind:
        case "name":
            return Token("name", text, text, at)
        case "operator":
            return Token("operator", text, None, at)
        case "quoted":
            return Token("quoted name", text, text[1:-1], at)
        case "number":
            return Token("number", text, _number(text, at, source), at)
        case "raw":
            return Token("text", text, _unquoted(text[1:]), at)
        case "text":
            return Token("text", text, _unescaped(_unquoted(text), at + (3 if _is_triple(text) else 1)), at)
        case _:
            raise ConditionError(
                "a bytes literal", at, "bytes are not supported, as JSON has none; leave out the b"
            )


def _number(text: str, at: int, source: str) -> int | float:
    tail = _AFTER_NUMBER.match(source, at + len(text))
    if tail is not None and tail[0]:
        if tail[0] in ("u", "U"):
            advice = "unsigned numbers are not supported, as JSON numbers have one type; leave out the u"
        else:
            advice = f"a name can't begin with a digit; put it between backticks: `{(text + tail[0])[:40]}`"
        raise ConditionError(f"unexpected '{tail[0][:40]}' behind a number", tail.start(), advice)
    if text[:2] in ("0x", "0X"):
        digits, base = text[2:], 16
    elif text.isdigit():
        digits, base = text, 10
    else:
        real = float(text)
        if math.isinf(real):
            raise ConditionError("a number that is too large", at, "IEEE doubles end at 1.8e308")
        return real
    digits = digits.lstrip("0") or "0"
    # int() refuses to read thousands of digits, with an exception of its own.
    if len(digits) > 20 or int(digits, base) > LARGEST_INTEGER:
        raise ConditionError(
            "an integer that is too large", at, f"integers end at {LARGEST_INTEGER}; add '.0' for a double"
        )
    return int(digits, base)


def _is_triple(text: str) -> bool:
    return len(text) >= 6 and text[:3] in ('"""', "'''")


def _unquoted(text: str) -> str:
    return text[3:-3] if _is_triple(text) else text[1:-1]


def _unescaped(text: str, begins: int) -> str:
    if "\\" not in text:
        return text

    def plain(match: re.Match[str]) -> str:
        simple, *codes, octal = match.groups()
        if simple is not None:
            return _SIMPLE_ESCAPES.get(simple, simple)
        code = int(octal, 8) if octal else next((int(digits, 16) for digits in codes if digits), None)
        if code is None:
            raise ConditionError(
                f"the unknown escape '{match[0]}'", begins + match.start(), "a backslash is '\\\\'"
            )
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ConditionError(
                f"'{match[0]}', which is no character", begins + match.start(), "write the code point itself"
            )
        return chr(code)

    return _ESCAPE.sub(plain, text)


def _no_token(source: str, at: int) -> ConditionError:
    character = source[at]
    if character in "\"'`":
        return ConditionError(
            f"the {character} has no end", at, f"close it with another {character} on the same line"
        )
    return ConditionError(
        f"unexpected {character!r}",
        at,
        _FOREIGN.get(character, "this character has no meaning in a condition"),
    )
