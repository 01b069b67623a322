"""The condition parser, and what is compiled from what it reads. Run: `python -m tests.fuzz condition`."""

from collections.abc import Mapping
from typing import Any, Final

from rules.condition.condition import Condition, read_condition
from rules.condition.functions import EvaluationError, Pattern
from rules.condition.interpret import interpret
from rules.condition.tokens import ConditionError
from rules.condition.tree import Call, Const, Node, children

SEEDS: Final = (
    b'temp > 30 && station in ["a", "b"]',
    b"has(a.b) || !(a['b'][0] == -1.5e3) && `odd name` != null",
    b"s.matches('^a.c$') && size(s) >= 3 || s.startsWith(\"a\") == true",
    b"r'b\\c' + '''a'b''' < '\\u0061\\x62\\077' && 0x1F - 2 * 3 / 4 % 5 > 1",
    b"((((((((a))))))))",
    b"[[1, 2], ['x', null], []] == l",
    b"- - -1 == 9223372036854775807 + 1",
    b"a.contains(b) && t.endsWith(s) // why",
)
RECORDS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"a": 1, "b": -2.5, "s": "abc", "t": "é", "temp": 31, "station": "a", "l": [1, "x", None, True]},
    {"a": {"b": [0, {"c": None}]}, "s": None, "l": [], "t": 2**63, "n": 1e308, "odd name": False},
)


def target(data: bytes) -> None:
    """Read `data` as a condition and ask it. Raises: AssertionError where a law is broken."""
    source = data.decode("utf-8", "surrogateescape")
    try:
        condition = read_condition(source)
    except ConditionError as error:
        str(error).encode()
        return
    patterns = _patterns(condition)
    for record in RECORDS:
        compiled, interpreted = _asked(condition, record), _said(condition.tree, record, patterns)
        assert compiled == interpreted, (source, record, compiled, interpreted)


def _asked(condition: Condition, record: Mapping[str, Any]) -> bool | str:
    try:
        return condition.matches(record)
    except EvaluationError as error:
        return str(error)


def _said(tree: Node, record: Mapping[str, Any], patterns: Mapping[str, Pattern]) -> bool | str:
    try:
        return interpret(tree, record, patterns)
    except EvaluationError as error:
        return str(error)


def _patterns(condition: Condition) -> dict[str, Pattern]:
    found: dict[str, Pattern] = {}
    todo = [condition.tree]
    while todo:
        node = todo.pop()
        todo += children(node)
        match node:
            case Call("matches", _, Const(str(pattern))):
                found[pattern] = Pattern(pattern)
    return found
