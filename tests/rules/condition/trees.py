"""Conditions and records made up: strategies for trees and records, and trees written as source."""

import re
from typing import Any

from hypothesis import strategies as st

from rules.condition.condition import EvaluationError
from rules.condition.functions import Pattern
from rules.condition.tree import (
    All,
    AnyOf,
    Calculate,
    Call,
    Compare,
    Const,
    Has,
    In,
    ListOf,
    Negate,
    Node,
    Not,
    Path,
)

PATTERNS = {source: Pattern(source) for source in ("a", "^b+$", "", "[ab]{2}")}

INTEGERS = st.sampled_from(
    [0, 1, -1, 2, 3, 7, -5, 2**53, 2**53 + 1, 2**63, -(2**63), 2**64 - 1, -(2**53) - 1]
)
DOUBLES = st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.5, -7.25, 1e18, 9007199254740992.0, 1.5e308, 5e-324])
TEXTS = st.sampled_from(["", "a", "b", "ab", "bb", "é", "z\U0001f600", 'q"\\', "\n\x01"])
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, DOUBLES, TEXTS)
VALUES = st.recursive(
    st.one_of(SCALARS, INTEGERS, DOUBLES, TEXTS, st.sampled_from([10**30, -(10**400)])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "odd name"]), inner, max_size=3),
    ),
    max_leaves=6,
)
FIELDS = ["a", "b", "c", "temp", "odd name", "in", "größe"]
RECORDS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=len(FIELDS))

_STEPS = st.one_of(st.sampled_from(["a", "b", "odd name", "null", "größe"]), st.integers(0, 2))
PATHS = st.builds(
    lambda first, rest: Path((first, *rest), 0),
    st.sampled_from(FIELDS),
    st.one_of(
        st.just([]), st.just([]), st.just([]), st.lists(_STEPS, max_size=2), st.lists(_STEPS, max_size=7)
    ),
)
CONSTS = st.builds(Const, SCALARS, st.just(0))


COLUMNS = st.builds(lambda name: Path((name,), 0), st.sampled_from(FIELDS))


def _trees(paths: st.SearchStrategy[Path], most: int) -> st.SearchStrategy[Node]:
    at = st.just(0)
    leaf: st.SearchStrategy[Node] = st.one_of(paths, CONSTS)
    literals = st.lists(CONSTS, max_size=4).map(lambda items: ListOf(tuple(items), 0))

    def grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        mixed = st.lists(inner, max_size=3).map(lambda items: ListOf(tuple(items), 0))
        some = st.one_of(inner, leaf, leaf)
        patterns = st.builds(Const, st.sampled_from(sorted(PATTERNS)), at)
        return st.one_of(
            st.builds(All, several, at),
            st.builds(AnyOf, several, at),
            st.builds(Not, inner, at),
            st.builds(Negate, some, at),
            st.builds(Compare, st.sampled_from(["==", "!="]), some, some, at),
            st.builds(Compare, st.sampled_from(["<", "<=", ">", ">="]), some, some, at),
            st.builds(In, some, st.one_of(literals, literals, mixed, paths), at),
            st.builds(Calculate, st.sampled_from(["+", "-", "*", "/", "%"]), some, some, at),
            st.builds(Call, st.sampled_from(["startsWith", "endsWith", "contains"]), some, some, at),
            st.builds(Call, st.just("matches"), some, patterns, at),
            st.builds(Call, st.just("size"), st.one_of(some, mixed), st.none(), at),
        )

    return st.recursive(st.one_of(leaf, st.builds(Has, paths, at)), grown, max_leaves=most)


TREES = _trees(PATHS, 12)
TREES_OF_COLUMNS = _trees(COLUMNS, 3)


def outcome(test: Any, *arguments: Any) -> bool | str:
    """Return what a test says: true, false, or the sentence of its error."""
    try:
        result = test(*arguments)
    except EvaluationError as error:
        return str(error)
    assert type(result) is bool
    return result


def shape(node: Node) -> str:
    """Return a tree without its positions; 1, 1.0 and true stay apart."""
    return re.sub(r"\bat=\d+", "at=0", repr(node))


def written(node: Node) -> str:
    """Return a source of which `node` is the tree."""
    match node:
        case Const(value):
            return _literal(value)
        case ListOf(items):
            return f"[{', '.join(map(written, items))}]"
        case Path((first, *steps)):
            name = first if str(first).isidentifier() and first not in ("in", "null") else f"`{first}`"
            return name + "".join(map(_step, steps))
        case Has(path):
            return f"has({written(path)})"
        case Not(operand):
            return f"!{_closed(operand)}"
        case Negate(operand):
            return f"-{_closed(operand)}"
        case All(operands):
            return " && ".join(map(_closed, operands))
        case AnyOf(operands):
            return " || ".join(map(_closed, operands))
        case Compare(op, left, right) | Calculate(op, left, right):
            return f"{_closed(left)} {op} {_closed(right)}"
        case In(item, container):
            return f"{_closed(item)} in {_closed(container)}"
        case Call(function, target, argument):
            return f"{_closed(target)}.{function}({'' if argument is None else written(argument)})"
    raise AssertionError(node)


def _closed(node: Node) -> str:
    bare = isinstance(node, Path | Has | ListOf) or (
        isinstance(node, Const) and (node.value is None or isinstance(node.value, bool | str))
    )
    return written(node) if bare else f"({written(node)})"


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() and step not in ("null", "in") else f"[{_literal(step)}]"


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " else f"\\u{ord(c):04x}" for c in escaped) + '"'
