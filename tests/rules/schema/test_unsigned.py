"""Columns of unsigned integers: InfluxDB's `u`, the schema's `uint64`."""

import pytest
from jsonschema_rs import validator_for

from rules.errors import Never
from rules.schema.columns import property_schema, shape_of
from rules.schema.dataset import Column, ColumnType, Dataset
from rules.schema.derive import quick_schema
from rules.schema.fit import misfit
from rules.schema.stored import stored_form

UNSIGNED = ColumnType.UNSIGNED
LARGEST = 2**64 - 1


def dataset() -> Dataset:
    schema = {"type": "object", "properties": {"u": property_schema(UNSIGNED)}}
    return Dataset(1, "w", "d", 1, schema, (Column("u", UNSIGNED, 1),))


def test_its_schema_and_its_type_are_inverse() -> None:
    assert property_schema(UNSIGNED) == {"type": ["integer", "null"], "format": "uint64"}
    assert shape_of(property_schema(UNSIGNED), {}).type is UNSIGNED


@pytest.mark.parametrize("value", [0, 1, 2**63, LARGEST, None, 5.0])
def test_it_takes_integers_up_to_the_largest(value: object) -> None:
    assert misfit("u", UNSIGNED, value) is None
    assert validator_for(quick_schema(dataset(), 8)).is_valid([{"u": value}])
    records, bad = stored_form(dataset(), [{"u": value}])
    assert not bad
    assert records[0]["u"] == value and not isinstance(records[0]["u"], float)


@pytest.mark.parametrize("value", [-1, LARGEST + 1, 0.5, "1", True])
def test_it_refuses_what_it_cannot_hold(value: object) -> None:
    assert misfit("u", UNSIGNED, value) is not None
    assert not validator_for(quick_schema(dataset(), 8)).is_valid([{"u": value}])
    assert isinstance(stored_form(dataset(), [{"u": value}])[1][0], Never)
