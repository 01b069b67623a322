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
    """`has(a.b)`: the last step is there (and, for a column, not null: absent is null in stored form)."""

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


Node = Const | ListOf | Path | Has | Not | Negate | All | AnyOf | Compare | In | Calculate | Call
