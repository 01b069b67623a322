"""Calls in a condition: which functions there are, how each is written, and how large patterns may be."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from rules.condition.functions import METHODS, Pattern
from rules.condition.tokens import ConditionError, Token
from rules.condition.tree import Call, Const, Has, Node, Path

MAX_PATTERNS: Final = 16
MAX_PATTERN_INSTRUCTIONS: Final = 1_500
"""RE2 instructions of all patterns of a condition together: at worst each is run on each byte of a text."""

_KNOWN: Final = ("has", *METHODS)
_FREE: Final = ("has", "size", "matches")
"""What CEL lets one write as f(x): has is a macro, and matches(x, pattern) is the same as the method."""

_MACRO = "macros such as all() and exists() are not supported; 'in' looks into a list"
_TIME = "functions of time are not supported; compare a date-time column with a text: '2026-11-21T00:00:00Z'"
_CONVERSION = "conversions are not supported; integers and doubles are one type and compare as they are"
_UNSUPPORTED: Final[Mapping[str, str]] = (
    dict.fromkeys(("all", "exists", "exists_one", "map", "filter"), _MACRO)
    | dict.fromkeys(("timestamp", "duration", "now", "getDate", "getDayOfMonth", "getDayOfWeek"), _TIME)
    | dict.fromkeys(("getDayOfYear", "getFullYear", "getHours", "getMilliseconds"), _TIME)
    | dict.fromkeys(("getMinutes", "getMonth", "getSeconds"), _TIME)
    | dict.fromkeys(("int", "uint", "double", "string", "bytes", "bool", "dyn", "type"), _CONVERSION)
)


class Calls:
    """The calls of one condition; it keeps count of the patterns among them."""

    def __init__(self) -> None:
        self._patterns = 0
        self._instructions = 0

    def check_known(self, name: Token, *, is_method: bool) -> None:
        """Refuse a function that is not there, or is not written this way, before its arguments are read.

        Raises: ConditionError.
        """
        function = name.text
        if function in _UNSUPPORTED:
            raise ConditionError(f"unexpected '{function}('", name.at, _UNSUPPORTED[function])
        if function not in _KNOWN:
            near = get_close_matches(function[:40], _KNOWN, n=1)
            advice = f"did you mean {near[0]}()?" if near else f"there are {', '.join(_KNOWN)}"
            raise ConditionError(f"the unknown function '{function[:40]}'", name.at, advice)
        if is_method and function == "has":
            raise ConditionError("a wrong use of has()", name.at, "write has(x)")
        if not is_method and function not in _FREE:
            raise ConditionError(f"a wrong use of {function}()", name.at, f"write x.{function}(text)")

    def made(self, name: Token, arguments: list[Node]) -> Node:
        """Return the node of a known call; the value a method is called on is the first argument.

        Raises: ConditionError, where arguments do not fit or patterns are too many or too large.
        """
        if name.text == "has":
            if len(arguments) == 1 and isinstance(arguments[0], Path):
                return Has(arguments[0], name.at)
            raise ConditionError("a wrong use of has()", name.at, "it takes one field: has(a) or has(a.b)")
        function = next(known for known in METHODS if known == name.text)
        wanted = METHODS[function]
        if len(arguments) != 1 + wanted:
            form = f"x.{function}({'text' if wanted else ''})"
            raise ConditionError(f"a wrong use of {function}()", name.at, f"write {form}")
        if function == "matches":
            self._check_pattern(arguments[1])
        return Call(function, arguments[0], arguments[1] if wanted else None, name.at)

    def _check_pattern(self, argument: Node) -> None:
        if not isinstance(argument, Const) or not isinstance(argument.value, str):
            raise ConditionError(
                "a pattern that is no text literal", argument.at, "matches() takes a fixed one"
            )
        try:
            pattern = Pattern(argument.value)
        except ValueError as error:
            raise ConditionError(f"a pattern that RE2 refuses ({error})", argument.at) from None
        self._patterns += 1
        self._instructions += pattern.instructions
        if self._patterns > MAX_PATTERNS:
            raise ConditionError(f"more than {MAX_PATTERNS} patterns", argument.at)
        if self._instructions > MAX_PATTERN_INSTRUCTIONS:
            raise ConditionError(
                f"patterns that are too large together ({self._instructions} RE2 instructions, "
                f"{MAX_PATTERN_INSTRUCTIONS} are allowed)",
                argument.at,
                "use fewer repetitions and character classes",
            )
