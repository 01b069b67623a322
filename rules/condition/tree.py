"""The tree of a condition: what the parser makes and everything else reads.

Positions are offsets in characters from the start of the source, for messages.
"""

from dataclasses import dataclass
from typing import Literal

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]
Arithmetic = Literal["+", "-", "*", "/", "%"]
Function = Literal["startsWith", "endsWith", "contains", "matches", "size"]

Scalar = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Const:
    """A literal."""

    value: Scalar
    at: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list literal: `[1, 2, "x"]`."""

    items: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Path:
    """A field of the record, or something within one: `a`, `a.b`, `a["odd name"]`, `a[0]`."""

    steps: tuple[str | int, ...]
    at: int

    @property
    def field(self) -> str:
        """The property of the record it begins at."""
        return str(self.steps[0])


@dataclass(frozen=True, slots=True)
class Has:
    """`has(a.b)`: the last step is there and not null (in stored form absent and null are the same)."""

    path: Path
    at: int


@dataclass(frozen=True, slots=True)
class Not:
    """`!x`"""

    operand: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Negate:
    """`-x`"""

    operand: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class All:
    """`a && b && …`, two operands or more."""

    operands: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`a || b || …`, two operands or more."""

    operands: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right`"""

    op: Comparison
    left: "Node"
    right: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class In:
    """`item in list`"""

    item: "Node"
    container: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Calculate:
    """`left op right` of numbers (`+` also of two texts)."""

    op: Arithmetic
    left: "Node"
    right: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """`target.function(argument)`, and `size(x)` or `x.size()` with no argument."""

    function: Function
    target: "Node"
    argument: "Node | None"
    at: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant that a DATETIME or DATE column holds as text: nanoseconds since 1970, null where null.

    No source says this: `rules.condition.instants` puts it where the columns call for it, and the
    literals it is compared with become integers.
    """

    path: Path
    at: int


Node = Const | ListOf | Path | Has | Not | Negate | All | AnyOf | Compare | In | Calculate | Call | Moment


def children(node: Node) -> tuple[Node, ...]:
    """Return what stands directly below a node, in the order of the source."""
    match node:
        case Const() | Path():
            return ()
        case ListOf(items=below) | All(operands=below) | AnyOf(operands=below):
            return below
        case Not(operand=one) | Negate(operand=one) | Has(path=one) | Moment(path=one):
            return (one,)
        case Compare(left=left, right=right) | Calculate(left=left, right=right):
            return (left, right)
        case In(item=item, container=container):
            return (item, container)
        case Call(target=target, argument=argument):
            return (target,) if argument is None else (target, argument)
