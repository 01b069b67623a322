"""The slow way to evaluate a condition: over the tree, as the language says it, and so the oracle.

The compiled form (`emit`) asks it about every record on which anything is unusual.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from rules.condition.functions import (
    EvaluationError,
    Pattern,
    calculate,
    equal,
    follow,
    kind,
    matches,
    member,
    moment,
    negate,
    order,
    present,
    size,
    text_test,
)
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
    Moment,
    Negate,
    Node,
    Not,
    Path,
)

Patterns = Mapping[str, Pattern]
"""The compiled patterns of a condition, by their source."""


def interpret(tree: Node, record: Mapping[str, Any], patterns: Patterns) -> bool:
    """Return whether the condition holds for `record`, a record in stored form (absent is null).

    Raises: EvaluationError.
    """
    return _Reading(record, patterns).boolean(tree)


class _Reading:
    """One record, read through the eyes of a tree."""

    __slots__ = ("patterns", "record")

    def __init__(self, record: Mapping[str, Any], patterns: Patterns) -> None:
        self.record = record
        self.patterns = patterns

    def value(self, node: Node) -> Any:
        try:
            return _BY_TYPE[type(node)](self, node)
        except EvaluationError as error:
            if error.at is None:
                error.at = node.at
            raise

    def boolean(self, node: Node) -> bool:
        result = self.value(node)
        if isinstance(result, bool):
            return result
        raise EvaluationError(f"{kind(result)} stands where true or false must", node.at)

    def settled(self, operands: tuple[Node, ...], settles: bool) -> bool:
        """Return `settles` if one operand gives it, whatever others do; else their first error; else not it.

        CEL's absorption of errors: `false && error` and `error && false` are both false.
        """
        first: EvaluationError | None = None
        for operand in operands:
            try:
                if self.boolean(operand) is settles:
                    return settles
            except EvaluationError as error:
                first = first or error
        if first is not None:
            raise first
        return not settles

    def const(self, node: Const) -> Any:
        return node.value

    def list_of(self, node: ListOf) -> Any:
        return [self.value(item) for item in node.items]

    def path(self, node: Path) -> Any:
        return follow(self.record, node.steps)

    def has(self, node: Has) -> Any:
        return present(self.record, node.path.steps)

    def negation(self, node: Not) -> Any:
        return not self.boolean(node.operand)

    def negative(self, node: Negate) -> Any:
        return negate(self.value(node.operand))

    def all_of(self, node: All) -> Any:
        return self.settled(node.operands, False)

    def any_of(self, node: AnyOf) -> Any:
        return self.settled(node.operands, True)

    def compare(self, node: Compare) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if node.op == "==":
            return equal(left, right)
        if node.op == "!=":
            return not equal(left, right)
        return order(node.op, left, right)

    def membership(self, node: In) -> Any:
        return member(self.value(node.item), self.value(node.container))

    def calculation(self, node: Calculate) -> Any:
        return calculate(node.op, self.value(node.left), self.value(node.right))

    def call(self, node: Call) -> Any:
        target = self.value(node.target)
        if node.argument is None:
            return size(target)
        argument = self.value(node.argument)
        if node.function == "matches":
            return matches(self.patterns[argument], target)
        return text_test(node.function, target, argument)

    def moment(self, node: Moment) -> Any:
        return moment(self.path(node.path))


_BY_TYPE: Final[Mapping[type, Callable[[_Reading, Any], Any]]] = {
    Const: _Reading.const,
    ListOf: _Reading.list_of,
    Path: _Reading.path,
    Has: _Reading.has,
    Not: _Reading.negation,
    Negate: _Reading.negative,
    All: _Reading.all_of,
    AnyOf: _Reading.any_of,
    Compare: _Reading.compare,
    In: _Reading.membership,
    Calculate: _Reading.calculation,
    Call: _Reading.call,
    Moment: _Reading.moment,
}
