"""Where a condition compares date-times: texts replaced by instants.

A record carries a date-time as RFC 3339 text in UTC without zeros at the end of the fraction, which does not
sort as text ("…00Z" is before "…00.5Z" in time and behind it as text). So where the columns are known, a
DATETIME column that meets a text literal, or a DATETIME or DATE column, is compared by nanoseconds.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

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
from rules.envelope import ID_FIELD, TIME_FIELD
from rules.schema.dataset import ColumnType
from rules.schema.moments import parse_moment

Columns = Mapping[str, ColumnType]

SYSTEM_COLUMNS: Final[Columns] = {ID_FIELD: ColumnType.STRING, TIME_FIELD: ColumnType.DATETIME}
"""What every stored record has beside its own columns (`_time` where it has no date column)."""

_TEMPORAL: Final = (ColumnType.DATETIME, ColumnType.DATE)


def with_instants(tree: Node, columns: Columns) -> Node:
    """Return `tree` with Moment nodes and integer literals where instants are compared.

    A text literal that names no instant stays a text: unequal to every instant, and without order to one
    (`types.misfits` refuses it beforehand).
    """
    match tree:
        case Compare(_, left, right) if _compares_instants(left, right, columns):
            return replace(tree, left=_instant(left), right=_instant(right))
        case In(item, ListOf(items) as container) if _seeks_instants(item, items, columns):
            kept = tuple(_instant(one) for one in items if not _is_strange(one))
            return replace(tree, item=_instant(item), container=replace(container, items=kept))
        case Compare(_, left, right) | Calculate(_, left, right):
            return replace(tree, left=with_instants(left, columns), right=with_instants(right, columns))
        case In(item, container):
            return replace(
                tree, item=with_instants(item, columns), container=with_instants(container, columns)
            )
        case All(operands) | AnyOf(operands):
            return replace(tree, operands=tuple(with_instants(one, columns) for one in operands))
        case ListOf(items):
            return replace(tree, items=tuple(with_instants(one, columns) for one in items))
        case Not(operand) | Negate(operand):
            return replace(tree, operand=with_instants(operand, columns))
        case Call(_, target, argument):
            further = None if argument is None else with_instants(argument, columns)
            return replace(tree, target=with_instants(target, columns), argument=further)
        case Const() | Path() | Has() | Moment():
            return tree


def column_type(name: str, columns: Columns) -> ColumnType | None:
    """Return the type of a field of stored records, None if they have no such field."""
    return columns.get(name) or SYSTEM_COLUMNS.get(name)


def is_datetime(node: Node, columns: Columns) -> bool:
    """Return whether `node` is a DATETIME column, or what `with_instants` made of a column."""
    return isinstance(node, Moment) or _has_type(node, columns, (ColumnType.DATETIME,))


def is_text_literal(node: Node) -> bool:
    return isinstance(node, Const) and isinstance(node.value, str)


def _compares_instants(left: Node, right: Node, columns: Columns) -> bool:
    return (is_datetime(left, columns) and _comparable(right, columns)) or (
        is_datetime(right, columns) and _comparable(left, columns)
    )


def _seeks_instants(item: Node, items: tuple[Node, ...], columns: Columns) -> bool:
    return (
        any(is_datetime(node, columns) for node in (item, *items))
        and _comparable(item, columns)
        and all(isinstance(node, Const) or _comparable(node, columns) for node in items)
    )


def _comparable(node: Node, columns: Columns) -> bool:
    return is_text_literal(node) or _has_type(node, columns, _TEMPORAL)


def _is_strange(node: Node) -> bool:
    """A number or a boolean in a list equals no date-time, and must not come to equal an instant."""
    return isinstance(node, Const) and node.value is not None and not isinstance(node.value, str)


def _has_type(node: Node, columns: Columns, types: tuple[ColumnType, ...]) -> bool:
    return isinstance(node, Path) and len(node.steps) == 1 and column_type(node.field, columns) in types


def _instant(node: Node) -> Node:
    if isinstance(node, Path):
        return Moment(node, node.at)
    if isinstance(node, Const) and isinstance(node.value, str):
        try:
            return replace(node, value=parse_moment(node.value))
        except ValueError:
            return node
    return node
