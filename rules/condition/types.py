"""A condition against the columns of a dataset: what can't be right is named before a record comes.

Only what is certain is a misfit. Columns of type ANY or UNTYPED, and whatever lies within a column, fit
everything; DATE and DATETIME columns are texts, which are compared as instants where `instants` says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from rules.condition.functions import Kind, kind
from rules.condition.instants import SYSTEM_COLUMNS, Columns, column_type, is_datetime
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
from rules.schema.dataset import ColumnType
from rules.schema.moments import parse_moment

MAX_MISFITS: Final = 20
_SUGGESTED_CHARACTERS: Final = 64
"""Longer names are neither looked up nor suggested: likeness takes time for the product of two lengths."""

_KINDS: Final[Mapping[ColumnType, Kind]] = {
    ColumnType.STRING: "text",
    ColumnType.INTEGER: "number",
    ColumnType.UNSIGNED: "number",
    ColumnType.NUMBER: "number",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.DATE: "text",
    ColumnType.DATETIME: "text",
    ColumnType.OBJECT: "object",
    ColumnType.ARRAY: "list",
}
_ARTICLES: Final[Mapping[Kind, str]] = {
    "null": "null",
    "boolean": "a boolean",
    "number": "a number",
    "text": "a text",
    "list": "a list",
    "object": "an object",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something in a condition that does not fit the dataset. `at` is an offset in the source, from 0."""

    at: int
    message: str


def misfits(tree: Node, columns: Mapping[str, ColumnType]) -> list[Misfit]:
    """Return what in `tree` does not fit the columns, in the order of the source, the first 20.

    A field the dataset lacks (with a suggestion), unlike types compared, an order of null, booleans, lists
    or objects, functions and arithmetic on other types than theirs, something other than true or false
    where that is needed, a date-time column compared with a text that is no RFC 3339 date-time or date.
    The tree may be as parsed, or have its instants already.
    """
    checker = _Checker(columns)
    checker.need(tree, ("boolean",), "a condition is true or false")
    return sorted(checker.found, key=lambda misfit: misfit.at)[:MAX_MISFITS]


class _Checker:
    """Finds misfits; what a node gives is a kind, or None where only the record will tell."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.found: list[Misfit] = []
        self.unknown: set[str] = set()

    def add(self, at: int, message: str) -> None:
        self.found.append(Misfit(at, message))

    def need(self, node: Node, kinds: Iterable[Kind], why: str) -> Kind | None:
        of = self.kind(node)
        if of is not None and of not in kinds:
            self.add(node.at, f"{why}; {_named(node, of)}")
        return of

    def kind(self, node: Node) -> Kind | None:
        match node:
            case Const(value):
                return kind(value)
            case ListOf(items):
                for item in items:
                    self.kind(item)
                return "list"
            case Path():
                return self.path(node)
            case Has(path) | Moment(path):
                self.path(path)
                return "boolean" if isinstance(node, Has) else None
            case Not(operand):
                self.need(operand, ("boolean",), "'!' needs true or false")
                return "boolean"
            case All(operands) | AnyOf(operands):
                sign = "&&" if isinstance(node, All) else "||"
                for operand in operands:
                    self.need(operand, ("boolean",), f"'{sign}' needs true or false on both sides")
                return "boolean"
            case Compare():
                return self.compared(node)
            case In():
                return self.sought(node)
            case Calculate():
                return self.calculated(node)
            case Negate(operand):
                self.need(operand, ("number",), "'-' needs a number")
                return "number"
            case Call("size", target):
                self.need(target, ("text", "list", "object"), "size() needs a text, a list or an object")
                return "number"
            case Call(function, target, argument):
                for text in (target, argument):
                    if text is not None:
                        self.need(text, ("text",), f"{function}() needs texts")
                return "boolean"

    def path(self, path: Path) -> Kind | None:
        of_column = column_type(path.field, self.columns)
        if of_column is None:
            self.lacking(path)
            return None
        of = _KINDS.get(of_column)
        if len(path.steps) == 1:
            return of
        wanted = "list" if isinstance(path.steps[1], int) else "object"
        if of not in (None, wanted):
            self.add(path.at, f"{path.field!r} is {_ARTICLES[of]} and has no {path.steps[1]!r}")
        return None

    def lacking(self, path: Path) -> None:
        if path.field in self.unknown or len(self.unknown) == MAX_MISFITS:
            return
        self.unknown.add(path.field)
        near = _nearest(path.field, [*self.columns, *SYSTEM_COLUMNS])
        advice = f"; did you mean {near!r}?" if near else ""
        self.add(path.at, f"the dataset has no field {path.field[:_SUGGESTED_CHARACTERS]!r}{advice}")

    def compared(self, node: Compare) -> Kind:
        left, right = self.kind(node.left), self.kind(node.right)
        self.check_instants(node.left, node.right)
        ordering = node.op not in ("==", "!=")
        if ordering:
            for side, of in ((node.left, left), (node.right, right)):
                if of not in (None, "number", "text"):
                    self.add(side.at, f"'{node.op}' needs numbers or texts; {_named(side, of)}")
                    return "boolean"
        if left != right and None not in (left, right) and (ordering or "null" not in (left, right)):
            self.add(node.at, _unlike(node.left, left, node.right, right))
        return "boolean"

    def sought(self, node: In) -> Kind:
        item = self.kind(node.item)
        container = self.need(node.container, ("list", "object"), "'in' needs a list or an object behind it")
        if container == "object" and item not in (None, "text"):
            self.add(node.item.at, f"the keys of an object are texts; {_named(node.item, item)}")
        if isinstance(node.container, ListOf):
            for element in node.container.items:
                self.check_instants(node.item, element)
                of = kind(element.value) if isinstance(element, Const) else None
                if item != of and not {None, "null"} & {item, of}:
                    self.add(element.at, _unlike(node.item, item, element, of))
                if len(self.found) > MAX_MISFITS:
                    break
        return "boolean"

    def calculated(self, node: Calculate) -> Kind | None:
        left, right = self.kind(node.left), self.kind(node.right)
        wanted: tuple[Kind | None, ...] = ("number", None)
        if node.op == "+" and "text" in (left, right):
            wanted = ("text", None)
        for side, of in ((node.left, left), (node.right, right)):
            if of not in wanted:
                needed = "two numbers or two texts" if node.op == "+" else "numbers"
                self.add(side.at, f"'{node.op}' needs {needed}; {_named(side, of)}")
        return None if node.op == "+" and left is right is None else wanted[0]

    def check_instants(self, left: Node, right: Node) -> None:
        for column, literal in ((left, right), (right, left)):
            if (
                is_datetime(column, self.columns)
                and isinstance(literal, Const)
                and isinstance(literal.value, str)
            ):
                try:
                    parse_moment(literal.value)
                except ValueError as error:
                    self.add(literal.at, f"a date-time column is compared with a text: {error}")


def _named(node: Node, of: Kind | None) -> str:
    what = "something else" if of is None else _ARTICLES[of]
    if isinstance(node, Path):
        return f"{node.field!r} is {what}" if len(node.steps) == 1 else f"a part of {node.field!r} is {what}"
    return f"this is {what}"


def _unlike(left: Node, left_kind: Kind | None, right: Node, right_kind: Kind | None) -> str:
    both = f"{_named(left, left_kind)}, {_named(right, right_kind)}"
    return f"unlike types are never equal and have no order: {both}"


def _nearest(name: str, candidates: list[str]) -> str | None:
    if len(name) > _SUGGESTED_CHARACTERS:
        return None
    known = {one.lower(): one for one in candidates if len(one) <= _SUGGESTED_CHARACTERS}
    near = get_close_matches(name.lower(), known, n=1)
    return known[near[0]] if near else None
