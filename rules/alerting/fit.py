"""Whether a rule fits the dataset it is on."""

from collections.abc import Mapping
from typing import Final

from rules.alerting.fields import or_nearest
from rules.alerting.rule import Rule
from rules.condition.condition import ConditionError, read_condition
from rules.condition.instants import SYSTEM_COLUMNS
from rules.condition.types import misfits
from rules.errors import BAD_CONDITION, BAD_RULE, RULE_KEY_LACKS_PARTITION, Problem
from rules.limits import Limits
from rules.schema.dataset import ColumnType

_MISFITS_TOLD: Final = 5
_LIMITS: Final = Limits()


def fit(
    rule: Rule,
    columns: Mapping[str, ColumnType] | None,
    partition_by: tuple[str, ...],
    limits: Limits = _LIMITS,
) -> list[str]:
    """Return what the caller should know though the rule is taken: that its dataset is not there yet.

    `columns` are the dataset's (None: no such dataset), `partition_by` the fields its records are spread by.

    Raises: Problem: bad_condition (with `position` in `extra`) where the condition names a field that the
    dataset lacks or compares unlike types; bad_rule where the key or the message names such a field, or the
    key one of lists or objects; rule_key_lacks_partition.
    """
    if columns is None:
        return [f"There is no dataset '{rule.on}' yet; the rule judges its records once they come."]
    _fit_condition(rule, columns, limits)
    known = {**SYSTEM_COLUMNS, **columns}
    for column in rule.key:
        _require(column, rule, known, "key")
        if known[column] in (ColumnType.OBJECT, ColumnType.ARRAY):
            raise Problem(
                BAD_RULE,
                f"key: the column '{column}' of '{rule.on}' holds {known[column]}s, which can't be a key.",
            )
    for field in rule.template.fields:
        _require(field, rule, known, "message")
    lacking = [column for column in partition_by if column not in rule.key]
    if lacking:
        raise Problem(
            RULE_KEY_LACKS_PARTITION,
            f"The records of '{rule.on}' are spread by {', '.join(partition_by)}; add "
            f"{' and '.join(lacking)} to the rule's key.",
        )
    return []


def _fit_condition(rule: Rule, columns: Mapping[str, ColumnType], limits: Limits) -> None:
    try:
        found = misfits(read_condition(rule.where, limits).tree, columns)
    except ConditionError as error:
        raise Problem(BAD_CONDITION, f"where: {error}", extra={"position": error.position}) from None
    if found:
        told = "; ".join(one.message for one in found[:_MISFITS_TOLD])
        raise Problem(BAD_CONDITION, f"where: {told}", extra={"position": found[0].at})


def _require(column: str, rule: Rule, known: Mapping[str, ColumnType], clause: str) -> None:
    if column not in known:
        ending = or_nearest(column, known)
        raise Problem(BAD_RULE, f"{clause}: the dataset '{rule.on}' has no field '{column}'{ending}")
