"""A condition to SQL, where SQL says exactly the same on both engines; the rest is left to the evaluator.

SQL's third truth is the condition's error: `null > 1` has no result in either, `&&` and `||` absorb it as AND
and OR do, and what is neither true nor false selects nothing. Where a condition has a result and SQL has none
(`null == 1` is false) the SQL says so itself. Numbers are compared as the integers or doubles a column holds,
with a bound that was made exact beforehand; texts by their bytes, which is the order of their code points.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, true

from rules.condition.tree import (
    All,
    AnyOf,
    Call,
    Compare,
    Comparison,
    Const,
    Has,
    In,
    ListOf,
    Moment,
    Node,
    Not,
    Path,
    Scalar,
)
from rules.envelope import ID_FIELD, TIME_FIELD
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.values import MAX_INTEGER, MAX_UNSIGNED, MIN_INTEGER
from storage.rows import digits
from storage.sql import Where
from storage.tables import AT, ID, physical, table_of

_OPERATORS: Final[dict[Comparison, Callable[[Any, Any], Where]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TURNED: Final[dict[Comparison, Comparison]] = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
_REACH: Final = {
    ColumnType.INTEGER: (MIN_INTEGER, MAX_INTEGER),
    ColumnType.UNSIGNED: (0, MAX_UNSIGNED),
}
_TEXTS: Final = (ColumnType.STRING, ColumnType.DATE)
_COMPARED: Final = (*_TEXTS, *_REACH, ColumnType.NUMBER, ColumnType.BOOLEAN)


class Pushed(NamedTuple):
    """What of a condition the database decides; unless `exact`, the rows it leaves are to be looked at."""

    conditions: list[Where]
    exact: bool


class _Column(NamedTuple):
    """A column as it is compared: DATETIME by its instants, DATE as text."""

    type: ColumnType
    sql: ColumnElement[Any]


def pushed(dataset: Dataset, tree: Node) -> Pushed:
    """Return what of a condition on a dataset's records SQL can say: every operand of its outermost `&&`."""
    operands = tree.operands if isinstance(tree, All) else (tree,)
    writer = _Writer(dataset)
    said = [one for operand in operands if (one := writer.boolean(operand)) is not None]
    return Pushed(said, len(said) == len(operands))


class _Writer:
    """Writes SQL for nodes of one dataset's conditions; None for what it can't say exactly."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.table = table_of(dataset)

    def boolean(self, node: Node) -> Where | None:
        match node:
            case Const(bool(value)):
                return true() if value else false()
            case Path():
                column = self.column(node)
                return column.sql if column is not None and column.type is ColumnType.BOOLEAN else None
            case Not(operand):
                said = self.boolean(operand)
                return None if said is None else not_(said)
            case All(operands):
                return self.joined(and_, operands)
            case AnyOf(operands):
                return self.joined(or_, operands)
            case Has(Path((_,)) as path):
                held = self.held(path)
                return None if held is None else held.sql.is_not(None)
            case Compare(op, Const() as left, right):
                return self.compared(_TURNED[op], right, left)
            case Compare(op, left, right):
                return self.compared(op, left, right)
            case In(item, ListOf(items)):
                return self.sought(item, items)
            case Call(("startsWith" | "endsWith" | "contains") as function, target, Const(str(text))):
                return self.text_test(function, target, text)
        return None

    def joined(self, by: Callable[..., Where], operands: Sequence[Node]) -> Where | None:
        said = [one for operand in operands if (one := self.boolean(operand)) is not None]
        return by(*said) if len(said) == len(operands) else None

    def held(self, path: Path) -> _Column | None:
        """Return the column that a path of one step names, if the table has it."""
        name = path.field
        if name == ID_FIELD:
            return _Column(ColumnType.STRING, self.table.c[ID])
        if name == TIME_FIELD and self.dataset.date is None:
            return _Column(ColumnType.DATETIME, self.table.c[AT])
        column = self.dataset.by_name.get(name)
        if column is None or column.type is ColumnType.UNTYPED:
            return None
        return _Column(column.type, self.table.c[physical(column)])

    def column(self, node: Node) -> _Column | None:
        """Return a column whose values SQL compares as conditions do."""
        match node:
            case Path((_,)):
                held = self.held(node)
                return held if held is not None and held.type in _COMPARED else None
            case Moment(Path((_,)) as path):
                held = self.held(path)
                return held if held is not None and held.type is ColumnType.DATETIME else None
        return None

    def compared(self, op: Comparison, left: Node, right: Node) -> Where | None:
        column = self.column(left)
        if column is None:
            return None
        if not isinstance(right, Const):
            other = self.column(right)
            return None if other is None else _of_two(op, column, other)
        if right.value is None:
            nothing = column.sql.is_(None)
            return {"==": nothing, "!=": not_(nothing)}.get(op)
        if not _of_kind(column.type, right.value):
            return None
        if op == "!=":
            return or_(column.sql.is_(None), not_(_equal(column, right.value)))
        return _equal(column, right.value) if op == "==" else _ordered(op, column, right.value)

    def sought(self, item: Node, items: Sequence[Node]) -> Where | None:
        column = self.column(item)
        values = [one.value for one in items if isinstance(one, Const)]
        given = [value for value in values if value is not None]
        if column is None or len(values) < len(items):
            return None
        if not all(_of_kind(column.type, value) for value in given):
            return None
        bounds = [bound for value in given if (bound := _same(column.type, value)) is not None]
        found = and_(column.sql.is_not(None), column.sql.in_(bounds)) if bounds else false()
        return or_(column.sql.is_(None), found) if None in values else found

    def text_test(self, function: str, target: Node, text: str) -> Where | None:
        column = self.column(target)
        if column is None or column.type not in _TEXTS or not _of_kind(column.type, text):
            return None
        sql = column.sql
        if not text:
            return sql == sql
        if function == "contains":
            return func.replace(sql, text, "") != sql
        size = len(text)
        if function == "startsWith":
            return func.substr(sql, 1, size) == text
        return func.substr(sql, func.length(sql) - (size - 1)) == text


def _of_two(op: Comparison, left: _Column, right: _Column) -> Where | None:
    if left.type is not right.type and not (left.type in _TEXTS and right.type in _TEXTS):
        return None
    a, b = left.sql, right.sql
    if op not in ("==", "!="):
        return None if left.type is ColumnType.BOOLEAN else _OPERATORS[op](a, b)
    same = or_(
        and_(a.is_(None), b.is_(None)),
        and_(a.is_not(None), b.is_not(None), a == b),
    )
    return same if op == "==" else not_(same)


def _of_kind(kind: ColumnType, value: Scalar) -> bool:
    """Return whether a literal is of the kind that such a column's values have, and can be sent as it is."""
    if isinstance(value, bool) or kind is ColumnType.BOOLEAN:
        return isinstance(value, bool) and kind is ColumnType.BOOLEAN
    if kind in _TEXTS:
        return isinstance(value, str) and "\0" not in value and _is_unicode(value)
    if kind is ColumnType.DATETIME:
        return isinstance(value, int)
    return isinstance(value, int | float)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _equal(column: _Column, value: Any) -> Where:
    """Return that a column has a value; never null."""
    bound = _same(column.type, value)
    return false() if bound is None else and_(column.sql.is_not(None), column.sql == bound)


def _same(kind: ColumnType, value: Any) -> Any:
    """Return the value as the column holds it, None where it can hold none that is equal."""
    if kind in _REACH:
        least, most = _REACH[kind]
        if value != math.floor(value) or not least <= value <= most:
            return None
        return _whole(kind, int(value))
    if kind is ColumnType.NUMBER:
        return float(value) if float(value) == value else None
    return value


def _ordered(op: Comparison, column: _Column, value: Any) -> Where | None:
    """Return `column op value`; null where the column is null."""
    kind, sql = column.type, column.sql
    if kind is ColumnType.BOOLEAN:
        return None
    if kind in _REACH:
        least, most = _REACH[kind]
        bound = math.ceil(value) if op in ("<", ">=") else math.floor(value)
        if not least <= bound <= most:
            return sql == sql if (bound > most) is (op in ("<", "<=")) else sql != sql
        return _OPERATORS[op](sql, _whole(kind, bound))
    if kind is ColumnType.NUMBER:
        near = float(value)
        if near > value:  # no double lies between the two
            op = "<" if op in ("<", "<=") else ">="
        elif near < value:
            op = "<=" if op in ("<", "<=") else ">"
        return _OPERATORS[op](sql, near)
    return _OPERATORS[op](sql, value)


def _whole(kind: ColumnType, value: int) -> Any:
    return digits(value) if kind is ColumnType.UNSIGNED else value
