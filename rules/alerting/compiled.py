"""A rule made ready to judge: its condition compiled, its message read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rules.alerting.rule import Rule
from rules.condition.condition import Condition, ConditionError, read_condition
from rules.limits import Limits
from rules.schema.dataset import ColumnType

TimeColumns = frozenset[tuple[str, ColumnType]]
"""The columns of a dataset whose texts compare as instants. They are all that compiling needs to know."""

_TIMES: Final = (ColumnType.DATETIME, ColumnType.DATE)


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    """A rule with its condition, or the `fault` for which there is none; equal to nothing but itself."""

    rule: Rule
    condition: Condition | None
    fault: str = ""


Compiler = Callable[[Rule, TimeColumns, Limits], CompiledRule]


def time_columns(columns: Mapping[str, ColumnType] | None) -> TimeColumns:
    """Return the columns that compare as instants; `_time` does everywhere and is not among them."""
    return frozenset() if columns is None else frozenset(one for one in columns.items() if one[1] in _TIMES)


def compile_rule(rule: Rule, times: TimeColumns, limits: Limits) -> CompiledRule:
    """Return `rule` ready to judge the records of a dataset with these time columns.

    A condition was read once already when its rule was declared. Should it not be readable now (limits were
    lowered, say), the rule is kept with its fault, so that every event it should
    have judged says so, and the other rules go on.
    """
    try:
        condition = read_condition(rule.where, limits, dict(times))
    except ConditionError as error:
        return CompiledRule(rule, None, f"The condition can't be compiled: {error}")
    _ = rule.template, rule.cooldown_ns
    return CompiledRule(rule, condition)
