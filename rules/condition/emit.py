"""Conditions to Python: the fast way to evaluate one.

The function that is made decides by itself where every operand is of the type its operator needs, and asks
the interpreter about the whole record otherwise: a null, unlike types, a boolean where a number must be, any
exception, a number beyond 64 bits. So it gives a result of its own only where the interpreter gives the same.
An operand after the one that settles `&&` or `||` is skipped, which the interpreter's absorption allows.

What Python would do beyond CEL is kept out: no operator meets an operand whose type was not looked at
(`"x" * 10**9`), booleans are not numbers (`True > 0`, `1 == True`), comparisons are not chained, no index is
negative. Only names minted here occur in the source, constants and column names are values of its namespace,
and there are no builtins.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

from rules.condition.functions import (
    EvaluationError,
    Kind,
    calculate,
    equal,
    follow,
    kind,
    matches,
    member,
    moment,
    order,
    present,
)
from rules.condition.interpret import Patterns, interpret
from rules.condition.tokens import LARGEST_INTEGER, SMALLEST_INTEGER
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

Test = Callable[[Mapping[str, Any]], bool]
"""Whether a condition holds for a record; raises EvaluationError."""

_STEPS_INLINE: Final = 4
_SHAPES_KEPT: Final = 256
"""Rules that differ in constants and columns alone have the same source; compiling is most of their cost."""
_SOURCE: Final = """
def test(record):
    try:
        return {expression}
    except AnyError:
        pass
    return slow(record)
"""


def emit(tree: Node, patterns: Patterns) -> Test:
    """Return a function that says of a record what `interpret` says, and raises what it raises.

    `patterns` holds the compiled form of every pattern in the tree.
    """
    writer = _Writer(patterns)
    namespace = writer.namespace
    namespace["slow"] = lambda record: interpret(tree, record, patterns)
    code = _compiled(_SOURCE.format(expression=writer.boolean(tree)))
    # A copy: the interpreter specialises code for one namespace.
    return FunctionType(code.replace(), namespace)


@lru_cache(maxsize=_SHAPES_KEPT)
def _compiled(source: str) -> CodeType:
    # The source holds operators, punctuation and names of this file, and nothing a caller wrote.
    module = compile(source, "<condition>", "exec")
    return next(constant for constant in module.co_consts if isinstance(constant, CodeType))


def _unusual() -> None:
    raise EvaluationError("left to the interpreter")


class _Made(NamedTuple):
    """An expression, and the kind of what it gives: None where only the value will tell."""

    text: str
    kind: Kind | None


class _Writer:
    """Writes expressions. Each node is written once: twice at every level would double with the depth."""

    def __init__(self, patterns: Patterns) -> None:
        self.patterns = patterns
        self.locals = 0
        self.namespace: dict[str, Any] = {
            "__builtins__": {},
            "AnyError": Exception,
            "bool": bool,
            "calculate": calculate,
            "equal": equal,
            "float": float,
            "follow": follow,
            "highest": LARGEST_INTEGER,
            "int": int,
            "len": len,
            "lowest": SMALLEST_INTEGER,
            "matches": matches,
            "member": member,
            "moment": moment,
            "order": order,
            "present": present,
            "sized": frozenset({str, list, dict}),
            "str": str,
            "type": type,
            "unusual": _unusual,
        }

    def constant(self, value: object) -> str:
        name = f"k{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def local(self) -> str:
        self.locals += 1
        return f"v{self.locals}"

    def boolean(self, node: Node) -> str:
        return self.as_boolean(self.value(node))

    def as_boolean(self, made: _Made) -> str:
        v = self.local()
        guarded = f"({v} if ({v} := {made.text}) is True or {v} is False else unusual())"
        return made.text if made.kind == "boolean" else guarded

    def as_number(self, made: _Made) -> str:
        v = self.local()
        guarded = f"({v} if type({v} := {made.text}) is float or type({v}) is int else unusual())"
        return made.text if made.kind == "number" else guarded

    def as_text(self, made: _Made) -> str:
        v = self.local()
        guarded = f"({v} if type({v} := {made.text}) is str else unusual())"
        return made.text if made.kind == "text" else guarded

    def value(self, node: Node) -> _Made:
        match node:
            case Path():
                return _Made(self.path(node), None)
            case Const(value):
                return _Made(self.literal(value), kind(value))
            case Compare("==", left, right):
                return _Made(self.equality(left, right), "boolean")
            case Compare("!=", left, right):
                return _Made(f"(not {self.equality(left, right)})", "boolean")
            case Compare():
                return _Made(self.ordering(node), "boolean")
            case In():
                return _Made(self.membership(node), "boolean")
            case All(operands):
                return _Made(f"({' and '.join(map(self.boolean, operands))})", "boolean")
            case AnyOf(operands):
                return _Made(f"({' or '.join(map(self.boolean, operands))})", "boolean")
            case Not(operand):
                return _Made(f"(not {self.boolean(operand)})", "boolean")
            case Has(Path((name,))):
                return _Made(f"(record.get({self.constant(name)}) is not None)", "boolean")
            case Has(path):
                return _Made(f"present(record, {self.constant(path.steps)})", "boolean")
            case Calculate():
                return self.calculation(node)
            case Negate(operand):
                return self.in_range(f"-{self.as_number(self.value(operand))}")
            case ListOf(items):
                return _Made(f"[{', '.join(self.value(item).text for item in items)}]", "list")
            case Moment(path):
                return _Made(f"moment({self.path(path)})", None)
            case Call():
                return self.call(node)

    def literal(self, value: object) -> str:
        return repr(value) if value is None or isinstance(value, bool) else self.constant(value)

    def path(self, path: Path) -> str:
        first, *further = path.steps
        if len(further) > _STEPS_INLINE or not all(isinstance(step, str) for step in path.steps):
            return f"follow(record, {self.constant(path.steps)})"
        # Subscripting by text gives an exception on all but an object that has it.
        return f"record.get({self.constant(first)})" + "".join(f"[{self.constant(step)}]" for step in further)

    def equality(self, left: Node, right: Node) -> str:
        if isinstance(left, Const):
            left, right = right, left
        text, of = self.value(left)
        if isinstance(right, Const):
            value = self.literal(right.value)
            if right.value is None or isinstance(right.value, bool):
                return f"({text} is {value})"
            if right.value in (0, 1) and of != "number":
                v = self.local()
                return f"(({v} := {text}) == {value} and type({v}) is not bool)"
            # No boolean equals this one in Python, and nothing else unlike does.
            return f"({text} == {value})"
        other, of_other = self.value(right)
        if of is not None and of == of_other and of in ("number", "text", "boolean"):
            return f"({text} == {other})"
        return f"equal({text}, {other})"

    def ordering(self, node: Compare) -> str:
        left, right = self.value(node.left), self.value(node.right)
        if "number" in (left.kind, right.kind):
            return f"({self.as_number(left)} {node.op} {self.as_number(right)})"
        if "text" in (left.kind, right.kind):
            return f"({self.as_text(left)} {node.op} {self.as_text(right)})"
        v, w = self.local(), self.local()
        both = f"(type({v} := {left.text}) is float) & (type({w} := {right.text}) is float)"
        return f"({v} {node.op} {w} if {both} else order({self.constant(node.op)}, {v}, {w}))"

    def membership(self, node: In) -> str:
        item, of = self.value(node.item)
        if not isinstance(node.container, ListOf) or not all(
            isinstance(one, Const) for one in node.container.items
        ):
            return f"member({item}, {self.value(node.container).text})"
        values = [one.value for one in node.container.items if isinstance(one, Const)]
        booleans = frozenset(value for value in values if isinstance(value, bool))
        others = frozenset(value for value in values if not isinstance(value, bool))
        if of in ("number", "text") or not (booleans or 0 in others or 1 in others):
            return f"({item} in {self.constant(others)})"
        v = self.local()
        return (
            f"({v} in {self.constant(booleans)} if type({v} := {item}) is bool"
            f" else {v} in {self.constant(others)})"
        )

    def calculation(self, node: Calculate) -> _Made:
        left, right = self.value(node.left), self.value(node.right)
        kinds = (left.kind, right.kind)
        numeric = node.op != "+" or "number" in kinds
        if numeric and node.op != "%":
            return self.in_range(f"{self.as_number(left)} {node.op} {self.as_number(right)}")
        text = f"calculate({self.constant(node.op)}, {left.text}, {right.text})"
        return _Made(text, "number" if numeric else "text" if "text" in kinds else None)

    def in_range(self, text: str) -> _Made:
        """Doubles beyond 64-bit integers are left to the interpreter, which tells them from integers."""
        v = self.local()
        return _Made(f"({v} if lowest <= ({v} := {text}) <= highest else unusual())", "number")

    def call(self, node: Call) -> _Made:
        target = self.value(node.target)
        if node.argument is None:
            v = self.local()
            return _Made(f"(len({v}) if type({v} := {target.text}) in sized else unusual())", "number")
        if node.function == "matches" and isinstance(node.argument, Const):
            pattern = self.constant(self.patterns[str(node.argument.value)])
            return _Made(f"matches({pattern}, {target.text})", "boolean")
        searched, sought = self.as_text(target), self.as_text(self.value(node.argument))
        if node.function == "contains":
            return _Made(f"({sought} in {searched})", "boolean")
        method = {"startsWith": "startswith", "endsWith": "endswith"}[node.function]
        return _Made(f"{searched}.{method}({sought})", "boolean")
