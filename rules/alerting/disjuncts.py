"""A condition as alternatives: disjunctive normal form, as far as it stays small.

CEL's `&&`, `||` and `!` with their absorption of errors are Kleene's logic with an error in the place of
"unknown": a conjunction is true where every operand is, a disjunction where one is, a negation where the
operand is false, and De Morgan's laws and distribution keep all three. So the record for which a condition
is *true* are exactly those for which every member of one of its alternatives is true. Which of the other
records give false and which give an error is not kept: who needs to know evaluates the condition itself.
"""

from itertools import product
from typing import Final

from rules.condition.tree import All, AnyOf, Node, Not

MAX_ALTERNATIVES: Final = 16

Conjunction = tuple[Node, ...]


def disjuncts(tree: Node) -> tuple[Conjunction, ...] | None:
    """Return alternatives of which one is all true exactly where `tree` is true; None if more than 16.

    Members are neither conjunctions nor disjunctions, and negations only where nothing is left to push
    them into; except that a disjunction inside a conjunction stays whole where to distribute it would
    give more than 16 alternatives.
    """
    return _split(tree, negated=False)


def _split(node: Node, *, negated: bool) -> tuple[Conjunction, ...] | None:
    if isinstance(node, Not):
        return _split(node.operand, negated=not negated)
    if isinstance(node, All | AnyOf):
        joined = _conjoin if isinstance(node, AnyOf) == negated else _disjoin
        return joined(node.operands, negated)
    return ((_member(node, negated),),)


def _conjoin(operands: tuple[Node, ...], negated: bool) -> tuple[Conjunction, ...] | None:
    alternatives: tuple[Conjunction, ...] = ((),)
    for operand in operands:
        parts = _split(operand, negated=negated)
        if parts is None or len(alternatives) * len(parts) > MAX_ALTERNATIVES:
            parts = ((_member(operand, negated),),)
        alternatives = tuple(left + right for left, right in product(alternatives, parts))
    return alternatives


def _disjoin(operands: tuple[Node, ...], negated: bool) -> tuple[Conjunction, ...] | None:
    alternatives: list[Conjunction] = []
    for operand in operands:
        parts = _split(operand, negated=negated)
        if parts is None or len(alternatives) + len(parts) > MAX_ALTERNATIVES:
            return None
        alternatives += parts
    return tuple(alternatives)


def _member(node: Node, negated: bool) -> Node:
    return Not(node, node.at) if negated else node
