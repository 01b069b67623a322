"""A condition that selects stored records: read once for the columns of a dataset.

A record for which it has no result (a null that is compared, a part that is not there) is not selected, as
SQL does not select what is neither true nor false.
"""

from collections.abc import Mapping
from typing import Any, Final

from rules.condition.condition import Condition, ConditionError, EvaluationError, read_condition
from rules.condition.parse import parse
from rules.condition.types import misfits
from rules.limits import Limits
from rules.schema.dataset import ColumnType, Dataset

_TOLD: Final = 5
_LIMITS: Final = Limits()


def read_where(source: str, dataset: Dataset, limits: Limits = _LIMITS) -> Condition:
    """Return the condition for records of this dataset, its date-times compared as instants.

    Raises: ValueError, with a sentence for the caller: it is no condition, names a field that the dataset
    lacks, or compares unlike types.
    """
    columns = _columns(dataset)
    try:
        found = misfits(parse(source, limits), columns)
        if found:
            raise ValueError("; ".join(f"{one.message} (character {one.at + 1})" for one in found[:_TOLD]))
        return read_condition(source, limits, columns)
    except ConditionError as error:
        raise ValueError(str(error)) from None


def selects(condition: Condition, record: Mapping[str, Any]) -> bool:
    """Return whether a condition selects a record in stored form."""
    try:
        return condition.matches(record)
    except EvaluationError:
        return False


def _columns(dataset: Dataset) -> Mapping[str, ColumnType]:
    return {column.name: column.type for column in dataset.columns}
