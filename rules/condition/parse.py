"""The parser of conditions: source text to a tree, or a refusal that names the place.

Precedence climbing over CEL's grammar, without `?:`, macros, maps and messages. Its time is linear in the
source, its recursion bounded by `condition_depth`.
"""

import re
from typing import Final

from rules.condition.calls import Calls
from rules.condition.tokens import (
    LARGEST_INTEGER,
    SMALLEST_INTEGER,
    ConditionError,
    Token,
    shown,
    tokens,
)
from rules.condition.tree import (
    All,
    AnyOf,
    Arithmetic,
    Calculate,
    Compare,
    Comparison,
    Const,
    In,
    ListOf,
    Negate,
    Node,
    Not,
    Path,
    Scalar,
    children,
)
from rules.limits import Limits

_COMPARISONS: Final[dict[str, Comparison]] = {op: op for op in ("==", "!=", "<", "<=", ">", ">=")}
_ARITHMETIC: Final[dict[str, Arithmetic]] = {op: op for op in ("+", "-", "*", "/", "%")}
_BINDING: Final = (
    {"||": 1, "&&": 2, "in": 3} | dict.fromkeys(_COMPARISONS, 3) | {"+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
)
_LITERALS: Final[dict[str, Scalar]] = {"null": None, "true": True, "false": False}
_RESERVED: Final = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop"}
) | {"package", "namespace", "return", "var", "void", "while"}
"""CEL's reserved identifiers (language definition, "Syntax"): free for its later versions."""


_PLAIN: Final = re.compile(r"[^\W\d]\w*")


def field_source(name: str) -> str:
    """Return how a condition names a field, between backticks where the name is no plain word.

    Raises: ValueError for a name that no condition can hold.
    """
    if _PLAIN.fullmatch(name) and name not in _RESERVED and name not in _LITERALS and name != "in":
        return name
    if not name or re.search(r"[`\r\n]", name):
        raise ValueError(f"the field {name[:60]!r} can't be named in a condition")
    return f"`{name}`"


def parse(source: str, limits: Limits) -> Node:
    """Return the tree of a condition.

    Raises: ConditionError, also where one of the limits condition_bytes, condition_depth, condition_nodes,
    list_literal, or a bound on patterns, is passed.
    """
    _check_text(source, limits.condition_bytes)
    tree = _Parser(source, limits).whole()
    _check_shape(tree, limits)
    return tree


def _check_text(source: str, most: int) -> None:
    try:
        size = len(source) if len(source) > most else len(source.encode())
    except UnicodeEncodeError as error:
        raise ConditionError("a lone surrogate, which is no character,", error.start) from None
    if size > most:
        raise ConditionError(f"more than {most} bytes (condition_bytes)", min(most, len(source) - 1))


def _check_shape(tree: Node, limits: Limits) -> None:
    """Chains of operators, such as a + b + …, make a tree deep without any recursion of the parser."""
    count = 0
    todo = [(tree, 1)]
    while todo:
        node, depth = todo.pop()
        count += 1
        if depth > limits.condition_depth:
            raise _too_deep(limits, node.at)
        if count > limits.condition_nodes:
            raise ConditionError(
                f"more than {limits.condition_nodes} parts (condition_nodes)",
                node.at,
                "write several rules, or x in [...] for many comparisons",
            )
        # The literals of a list are bounded by list_literal.
        below = [one for one in children(node) if not (isinstance(node, ListOf) and isinstance(one, Const))]
        todo += [(one, depth + 1) for one in reversed(below)]


def _too_deep(limits: Limits, at: int) -> ConditionError:
    return ConditionError(
        f"nested deeper than {limits.condition_depth} levels (condition_depth)", at, "write it flatter"
    )


class _Parser:
    def __init__(self, source: str, limits: Limits) -> None:
        self.limits = limits
        self.tokens = tokens(source)
        self.token = next(self.tokens)
        self.depth = 0
        self.calls = Calls()

    def whole(self) -> Node:
        tree = self.expression(0)
        if self.token.kind == "end":
            return tree
        opening = {")": "(", "]": "["}.get(self.token.text)
        raise self.unexpected(
            f"there is no '{opening}' for it" if opening else "an operator such as '&&' or '==' is missing"
        )

    def advance(self) -> Token:
        token, self.token = self.token, next(self.tokens)
        return token

    def at_operator(self, text: str) -> bool:
        return self.token.kind == "operator" and self.token.text == text

    def take(self, text: str) -> bool:
        if self.at_operator(text):
            self.advance()
            return True
        return False

    def unexpected(self, advice: str) -> ConditionError:
        hint = {"and": "'and' is written '&&'", "or": "'or' is written '||'", "not": "'not' is written '!'"}
        return ConditionError(
            f"unexpected {shown(self.token)}", self.token.at, hint.get(self.token.text, advice)
        )

    def expression(self, least: int) -> Node:
        """Parse operands joined by operators that bind tighter than `least`."""
        left = self.unary()
        while (binding := self.binding()) > least:
            op = self.advance()
            right = self.expression(binding)
            if op.text in ("&&", "||"):
                operands = [left, right]
                while self.take(op.text):
                    operands.append(self.expression(binding))
                left = (All if op.text == "&&" else AnyOf)(tuple(operands), op.at)
            elif op.text == "in":
                left = In(left, right, op.at)
            elif op.text in _COMPARISONS:
                left = Compare(_COMPARISONS[op.text], left, right, op.at)
            else:
                left = Calculate(_ARITHMETIC[op.text], left, right, op.at)
        return left

    def binding(self) -> int:
        if self.token.kind == "operator" or self.token.text == "in":
            return _BINDING.get(self.token.text, 0)
        return 0

    def unary(self) -> Node:
        self.depth += 1
        if self.depth > self.limits.condition_depth:
            raise _too_deep(self.limits, self.token.at)
        op = self.token
        if self.take("!"):
            node: Node = Not(self.unary(), op.at)
        elif self.take("-"):
            node = self.negated(op, self.token)
        else:
            node = self.member()
        self.depth -= 1
        return node

    def negated(self, minus: Token, first: Token) -> Node:
        operand = self.unary()
        # A minus right before a number belongs to it: -5 is a literal, -(5) is not.
        is_literal = first.kind == "number" or first.text == "-"
        if not (is_literal and isinstance(operand, Const) and operand.at == first.at):
            return Negate(operand, minus.at)
        assert isinstance(operand.value, int | float)
        value = -operand.value
        if isinstance(value, int) and not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
            raise ConditionError(
                "an integer that is too small", minus.at, f"integers begin at {SMALLEST_INTEGER}"
            )
        return Const(value, minus.at)

    def member(self) -> Node:
        node = self.primary()
        while True:
            at = self.token.at
            if self.take("."):
                name = self.name()
                if self.at_operator("(") and name.kind == "name":
                    node = self.call(name, node)
                else:
                    node = self.further(node, str(name.value), at)
            elif self.take("["):
                node = self.further(node, self.index(), at)
                self.close("]", "[", at)
            else:
                return node

    def name(self) -> Token:
        if self.token.kind in ("name", "quoted name") and self.token.text not in (*_LITERALS, "in"):
            return self.advance()
        raise self.unexpected("the name of a field or function is missing; odd names go between backticks")

    def index(self) -> str | int:
        value = self.token.value
        if self.token.kind in ("number", "text") and isinstance(value, int | str):
            self.advance()
            return value
        raise self.unexpected("in brackets goes a text or a whole number from 0, as written")

    def further(self, node: Node, step: str | int, at: int) -> Node:
        if not isinstance(node, Path):
            raise ConditionError(
                "unexpected part of a value", at, "only fields have parts: a.b, a['b'] or a[0]"
            )
        if len(node.steps) == self.limits.condition_depth:
            raise _too_deep(self.limits, at)
        return Path((*node.steps, step), node.at)

    def primary(self) -> Node:
        token = self.token
        if token.kind in ("number", "text"):
            self.advance()
            return Const(token.value, token.at)
        if token.kind == "quoted name":
            self.advance()
            return Path((str(token.value),), token.at)
        if token.kind == "name":
            return self.named()
        if self.take("("):
            node = self.expression(0)
            self.close(")", "(", token.at)
            return node
        if self.take("["):
            return ListOf(tuple(self.items(token.at)), token.at)
        raise self.unexpected("an operand is missing")

    def named(self) -> Node:
        if self.token.text == "in":
            raise self.unexpected("an operand is missing")
        name = self.advance()
        if self.at_operator("("):
            return self.call(name, None)
        if name.text in _LITERALS:
            return Const(_LITERALS[name.text], name.at)
        if name.text in _RESERVED:
            raise ConditionError(
                f"unexpected '{name.text}'", name.at, f"the word is reserved; write `{name.text}` for a field"
            )
        return Path((name.text,), name.at)

    def items(self, opened: int) -> list[Node]:
        found: list[Node] = []
        while not self.at_operator("]"):
            if len(found) == self.limits.list_literal:
                raise ConditionError(
                    f"more than {self.limits.list_literal} members of a list (list_literal)", self.token.at
                )
            found.append(self.expression(0))
            if not self.take(","):
                break
        self.close("]", "[", opened)
        return found

    def close(self, text: str, opening: str, opened: int) -> None:
        if not self.take(text):
            raise self.unexpected(f"'{text}' is missing for the '{opening}' at character {opened + 1}")

    def call(self, name: Token, target: Node | None) -> Node:
        self.calls.check_known(name, is_method=target is not None)
        opened = self.advance().at
        arguments: list[Node] = [] if target is None else [target]
        if not self.at_operator(")"):
            arguments.append(self.expression(0))
            while self.take(","):
                arguments.append(self.expression(0))
        self.close(")", "(", opened)
        return self.calls.made(name, arguments)
