"""What the operators and functions of conditions mean, on JSON values.

CEL's meaning (language definition, "Standard Definitions") with JSON's numbers: integers and doubles are one
type and compare exactly, `/` is real division, `%` leaves the remainder of truncated division (with the
sign of the dividend), and a result that is infinite, not a number, or an integer outside -2^63 to 2^64-1
is an error. Values of unlike types are unequal; only numbers, and only texts, have an order: null, booleans,
lists and objects have none. Every function here raises EvaluationError where an operation has no result.
"""

import operator
from collections.abc import Callable, Mapping
from math import fmod, isfinite
from types import NoneType
from typing import Any, Final, Literal

import re2

from rules.condition.tokens import LARGEST_INTEGER, SMALLEST_INTEGER
from rules.condition.tree import Arithmetic, Comparison, Function
from rules.schema.moments import parse_moment

Kind = Literal["null", "boolean", "number", "text", "list", "object"]

MAX_TEXT_BYTES: Final = 64 * 1024
"""How long a text that `+` makes may be, in UTF-8."""
MAX_MATCHED_CHARACTERS: Final = 32 * 1024
"""How long a text may be that a pattern is tried on: RE2 takes time for text length times program size."""
MAX_PATTERN_MEMORY: Final = 256 * 1024

METHODS: Final[Mapping[Function, int]] = {
    "startsWith": 1,
    "endsWith": 1,
    "contains": 1,
    "matches": 1,
    "size": 0,
}
"""What may be called on a value, and with how many arguments."""

_KINDS: Final[Mapping[type, Kind]] = {
    NoneType: "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
}
_ORDER: Final[Mapping[Comparison, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDERED: Final = ("number", "text")


class EvaluationError(Exception):
    """A condition has no result for a record: `message` says why.

    `at` is the offset in the source of the innermost part that failed, where known.
    """

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at

    def __str__(self) -> str:
        return self.message if self.at is None else f"{self.message} at character {self.at + 1}"


class Pattern:
    """A regular expression in RE2's syntax: linear in time, bounded in memory."""

    def __init__(self, source: str) -> None:
        """Compile `source`. Raises: ValueError with RE2's reason."""
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.max_mem = MAX_PATTERN_MEMORY
        try:
            self._compiled = re2.compile(source, options)
        except re2.error as error:
            reason = error.args[0] if error.args else "no reason given"
            raise ValueError(
                reason.decode(errors="replace") if isinstance(reason, bytes) else reason
            ) from None
        self.instructions: int = self._compiled.programsize

    def found_in(self, text: str) -> bool:
        """Return whether a part of `text` matches.

        Raises: EvaluationError if it is too long, or no Unicode text.
        """
        if len(text) > MAX_MATCHED_CHARACTERS:
            raise EvaluationError(
                f"matches() takes {MAX_MATCHED_CHARACTERS} characters at most, and the text has {len(text)}"
            )
        try:
            return self._compiled.search(text) is not None
        except UnicodeEncodeError:
            raise EvaluationError("a text with a lone surrogate can't be matched") from None


def kind(value: Any) -> Kind:
    """Return the JSON type of a value, by its exact Python type: a boolean is no number."""
    try:
        return _KINDS[type(value)]
    except KeyError:
        raise EvaluationError(f"a value of the type {type(value).__name__} is none of JSON") from None


def equal(left: Any, right: Any) -> bool:
    """Return whether two values are the same as JSON: 1 is 1.0, true is not 1, at every depth."""
    of = kind(left)
    if of != kind(right):
        return False
    if of == "list":
        return len(left) == len(right) and all(map(equal, left, right))
    if of == "object":
        return left.keys() == right.keys() and all(equal(value, right[name]) for name, value in left.items())
    return bool(left == right)


def order(op: Comparison, left: Any, right: Any) -> bool:
    """Return `left op right` for two numbers (exactly) or two texts (by code points)."""
    of = kind(left)
    if of not in _ORDERED or kind(right) != of:
        raise EvaluationError(f"'{op}' has no meaning between {kind(left)} and {kind(right)}")
    return _ORDER[op](left, right)


def member(item: Any, container: Any) -> bool:
    """Return whether a list has an element equal to `item`, or an object the key `item`."""
    if type(container) is list:
        return any(equal(item, element) for element in container)
    if type(container) is dict and type(item) is str:
        return item in container
    raise EvaluationError(f"'in' has no meaning between {kind(item)} and {kind(container)}")


def calculate(op: Arithmetic, left: Any, right: Any) -> int | float | str:
    """Return `left op right` for two numbers, or two texts where `op` is `+`."""
    if op == "+" and type(left) is str and type(right) is str:
        return _joined(left, right)
    if kind(left) != "number" or kind(right) != "number":
        raise EvaluationError(f"'{op}' has no meaning between {kind(left)} and {kind(right)}")
    if op in ("/", "%") and right == 0:
        raise EvaluationError("division by zero")
    try:
        return _in_range(_NUMERIC[op](left, right))
    except (OverflowError, ValueError):
        raise EvaluationError(f"the result of '{op}' is beyond what a number can be") from None


def negate(value: Any) -> int | float:
    """Return `-value` of a number."""
    if kind(value) != "number":
        raise EvaluationError(f"'-' has no meaning before {kind(value)}")
    return _in_range(-value)


def size(value: Any) -> int:
    """Return the code points of a text, the elements of a list or the keys of an object."""
    if type(value) in (str, list, dict):
        return len(value)
    raise EvaluationError(f"size() has no meaning on {kind(value)}")


def text_test(function: Function, target: Any, argument: Any) -> bool:
    """Return what startsWith, endsWith or contains say of two texts."""
    if type(target) is not str or type(argument) is not str:
        raise EvaluationError(f"{function}() has no meaning between {kind(target)} and {kind(argument)}")
    if function == "startsWith":
        return target.startswith(argument)
    if function == "endsWith":
        return target.endswith(argument)
    return argument in target


def matches(pattern: Pattern, target: Any) -> bool:
    """Return whether a part of the text `target` matches."""
    if type(target) is not str:
        raise EvaluationError(f"matches() has no meaning on {kind(target)}")
    return pattern.found_in(target)


def follow(record: Mapping[str, Any], steps: tuple[str | int, ...]) -> Any:
    """Return what lies at a path. A column that the record lacks is null; any other step must be there."""
    value: Any = record.get(str(steps[0]))
    for step in steps[1:]:
        if isinstance(step, int):
            there = type(value) is list and 0 <= step < len(value)
        else:
            there = type(value) is dict and step in value
        if not there:
            raise EvaluationError(f"{kind(value)} has no {step!r}")
        value = value[step]
    return value


def present(record: Mapping[str, Any], steps: tuple[str | int, ...]) -> bool:
    """Return whether something that is not null lies at a path. Never an error."""
    try:
        return follow(record, steps) is not None
    except EvaluationError:
        return False


def moment(value: Any) -> int | None:
    """Return the instant that a text of a DATETIME or DATE column stands for, null for null."""
    if value is None:
        return None
    if type(value) is not str:
        raise EvaluationError(f"{kind(value)} is no date-time")
    try:
        return parse_moment(value)
    except ValueError as error:
        raise EvaluationError(str(error).removesuffix(".")) from None


def _joined(left: str, right: str) -> str:
    joined = left + right
    if len(joined) <= MAX_TEXT_BYTES and (
        joined.isascii() or len(joined.encode(errors="surrogatepass")) <= MAX_TEXT_BYTES
    ):
        return joined
    raise EvaluationError(f"'+' makes a text of more than {MAX_TEXT_BYTES} bytes")


def _in_range(result: int | float) -> int | float:
    if isinstance(result, float):
        if not isfinite(result):
            raise EvaluationError("the result is infinite or not a number")
    elif not SMALLEST_INTEGER <= result <= LARGEST_INTEGER:
        raise EvaluationError("the result is an integer outside -2^63 to 2^64-1")
    return result


def _remainder(dividend: int | float, divisor: int | float) -> int | float:
    if isinstance(dividend, float) or isinstance(divisor, float):
        return fmod(dividend, divisor)
    rest = abs(dividend) % abs(divisor)
    return -rest if dividend < 0 else rest


_NUMERIC: Final[Mapping[Arithmetic, Callable[[Any, Any], int | float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": _remainder,
}
