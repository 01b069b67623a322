"""How a rule is found: the cheap predicates among the members of a conjunction, and which of them to use.

Each predicate is true exactly where its member of the condition is true, so a conjunction that consists of
nothing else needs no evaluation. Whatever is not surely such a member is left to the condition.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rules.alerting.disjuncts import Conjunction
from rules.condition.tree import Compare, Const, In, ListOf, Node, Not, Path, Scalar

Steps = str | tuple[str, ...]
"""Where a value lies: a column, or a path of two steps or more that begins at one."""


class _Mark:
    """A value that equals nothing a record can hold."""


MISSING: Final = _Mark()
_TRUE: Final = _Mark()
_FALSE: Final = _Mark()

_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Equal:
    """The value at `steps` is one of those with these hash keys."""

    steps: Steps
    keys: tuple[Hashable, ...]

    @property
    def weak(self) -> bool:
        """Whether it likely passes a large share of all records: it asks for null or a boolean."""
        return any(key is None or key is _TRUE or key is _FALSE for key in self.keys)


@dataclass(frozen=True, slots=True)
class Above:
    """The value at `steps`, negated where `sign` is -1, is a number above `bound` (or equal to it).

    `x < 5` is the same as `-x > -5`, and negation is exact, so one direction is enough.
    """

    steps: Steps
    sign: int
    inclusive: bool
    bound: float


@dataclass(frozen=True, slots=True)
class Access:
    """The way to one conjunction: by hash if it can be, then by one or two thresholds.

    `whole`: the conjunction has no other members, so what passes these is true.
    """

    equal: Equal | None
    first: Above | None
    second: Above | None
    whole: bool


def access(conjunction: Conjunction, spread: Callable[[Steps], int], most_keys: int) -> Access | None:
    """Return the way to `conjunction`, or None if it can never be true.

    `spread` tells how many distinct values of a field are asked for already: the more, the fewer rules one
    of them leads to. An equality with more than `most_keys` values is left to the condition, as it would
    cost too many entries. Of several thresholds the first two in the order of the source are used.
    """
    equals: list[Equal] = []
    ranges: list[Above] = []
    other = 0
    for node in conjunction:
        if isinstance(node, Const) and isinstance(node.value, bool):
            if not node.value:
                return None
            continue
        predicate = _predicate(node)
        if isinstance(predicate, Equal) and len(predicate.keys) <= most_keys:
            equals.append(predicate)
        elif isinstance(predicate, Above):
            ranges.append(predicate)
        else:
            other += 1
    if any(not equal.keys for equal in equals):
        return None
    best = min(
        equals,
        key=lambda one: (one.weak, len(one.keys) / (1 + spread(one.steps)), len(one.keys)),
        default=None,
    )
    first, second = [*ranges[:2], None, None][:2]
    return Access(best, first, second, whole=other == 0 and len(equals) <= 1 and len(ranges) <= 2)


def hash_key(value: object) -> Hashable:
    """Return what stands for `value` in a hash: equal for values equal as JSON (1 and 1.0, never true and 1).

    MISSING where no literal can equal it: lists, objects, and what is not there.
    """
    if value is None or isinstance(value, str):
        return value
    if value is True:
        return _TRUE
    if value is False:
        return _FALSE
    return value if isinstance(value, int | float) else MISSING


def reach(record: Mapping[str, Any], steps: Sequence[str]) -> Any:
    """Return what lies at a path of names, or MISSING where one of its later steps leads nowhere."""
    value = record.get(steps[0])
    for step in steps[1:]:
        if type(value) is not dict or step not in value:
            return MISSING
        value = value[step]
    return value


def _predicate(node: Node) -> Equal | Above | None:
    if isinstance(node, Path):
        return _equal(_steps(node), (Const(True, node.at),))
    if isinstance(node, Not) and isinstance(node.operand, Path):
        return _equal(_steps(node.operand), (Const(False, node.at),))
    if isinstance(node, In) and isinstance(node.container, ListOf):
        return _equal(_steps(node.item), node.container.items)
    if not isinstance(node, Compare) or node.op == "!=":
        return None
    op: str = node.op
    steps, literal = _steps(node.left), node.right
    if steps is None:
        steps, literal, op = _steps(node.right), node.left, _FLIPPED.get(op, op)
    return _equal(steps, (literal,)) if op == "==" else _above(steps, op, literal)


def _equal(steps: Steps | None, literals: tuple[Node, ...]) -> Equal | None:
    values = [_scalar(node) for node in literals]
    if steps is None or MISSING in values:
        return None
    return Equal(steps, tuple(dict.fromkeys(hash_key(value) for value in values)))


def _above(steps: Steps | None, op: str, literal: Node) -> Above | None:
    bound = _scalar(literal)
    if steps is None or isinstance(bound, bool) or not isinstance(bound, int | float):
        return None
    # An integer between two doubles has no place among doubles; the others lose nothing there.
    if float(bound) != bound:
        return None
    sign = 1 if op[0] == ">" else -1
    return Above(steps, sign, op[-1] == "=", float(sign * bound))


def _steps(node: Node) -> Steps | None:
    if not isinstance(node, Path):
        return None
    names = tuple(step for step in node.steps if isinstance(step, str))
    if len(names) < len(node.steps):
        return None
    return names if len(names) > 1 else names[0]


def _scalar(node: Node) -> Scalar | _Mark:
    if not isinstance(node, Const):
        return MISSING
    finite = not isinstance(node.value, float) or math.isfinite(node.value)
    return node.value if finite else MISSING
