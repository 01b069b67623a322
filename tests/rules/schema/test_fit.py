from typing import Any

import pytest

from rules.errors import BAD_MOMENT, NUMBER_OUT_OF_RANGE, WRONG_TYPE, Code
from rules.schema.dataset import ColumnType
from rules.schema.fit import is_wide, misfit

T = ColumnType


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (T.STRING, ""),
        (T.INTEGER, 5),
        (T.INTEGER, 5.0),
        (T.INTEGER, 2**63 - 1),
        (T.INTEGER, -(2**63)),
        (T.NUMBER, 2**53),
        (T.NUMBER, 1e300),
        (T.BOOLEAN, False),
        (T.DATE, "0001-01-01"),
        (T.DATETIME, "2026-11-21"),
        (T.OBJECT, {}),
        (T.ARRAY, []),
        (T.ANY, "x"),
        (T.ANY, 2**60),
        *((kind, None) for kind in ColumnType),
    ],
)
def test_a_column_takes_the_values_of_its_type(kind: ColumnType, value: Any) -> None:
    assert misfit("a", kind, value) is None


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        (T.STRING, 1, WRONG_TYPE),
        (T.INTEGER, True, WRONG_TYPE),
        (T.INTEGER, 1.5, WRONG_TYPE),
        (T.INTEGER, "1", WRONG_TYPE),
        (T.INTEGER, float("nan"), WRONG_TYPE),
        (T.INTEGER, 2**63, NUMBER_OUT_OF_RANGE),
        (T.INTEGER, float(2**63), NUMBER_OUT_OF_RANGE),
        (T.INTEGER, 1e300, NUMBER_OUT_OF_RANGE),
        (T.NUMBER, True, WRONG_TYPE),
        (T.NUMBER, 2**53 + 1, NUMBER_OUT_OF_RANGE),
        (T.NUMBER, float("inf"), NUMBER_OUT_OF_RANGE),
        (T.BOOLEAN, 1, WRONG_TYPE),
        (T.DATE, "2026-11-21T00:00:00Z", BAD_MOMENT),
        (T.DATE, 5, WRONG_TYPE),
        (T.DATETIME, "noon", BAD_MOMENT),
        (T.DATETIME, "2300-01-01T00:00:00Z", BAD_MOMENT),
        (T.DATETIME, 1700000000, WRONG_TYPE),
        (T.OBJECT, [], WRONG_TYPE),
        (T.ARRAY, {}, WRONG_TYPE),
        (T.UNTYPED, 1, WRONG_TYPE),
    ],
)
def test_a_value_of_another_type_is_named_with_what_was_expected(
    kind: ColumnType, value: Any, code: Code
) -> None:
    found = misfit("price", kind, value)
    assert found is not None
    assert found.code is code
    assert found.message.startswith('Column "price" takes ')


def test_an_integer_is_wide_where_a_double_may_not_hold_it() -> None:
    assert [is_wide(value) for value in (2**53, 2**53 + 1, -(2**53) - 1, 1e16, "x", None)] == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]
