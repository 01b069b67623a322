from typing import Any

import pytest

from rules.errors import (
    BAD_MAPPING,
    BAD_PARAMETER,
    BAD_REQUEST,
    BAD_SCHEMA,
    PARTITION_NOT_IN_KEY,
    SCHEMA_CHANGE_REFUSED,
    Code,
    Problem,
)
from rules.schema.dataset import Column, ColumnType, Dataset
from rules.schema.declare import declare, on_demand
from rules.schema.evolve import Additions, NewType, evolve
from rules.schema.redeclare import read_existing, redeclare

T = ColumnType
PROPERTIES: dict[str, Any] = {
    "id": {"type": "string"},
    "n": {"type": "integer"},
    "s": {"type": ["string", "null"]},
}


def made() -> Dataset:
    body = {
        "datasetId": "d",
        "schema": schema(),
        "columnMapping": {"key": "id"},
        "partitionBy": ["id"],
        "title": "T",
    }
    return declare("acme", body, 1)


def schema(required: tuple[str, ...] = ("n",), **changes: Any) -> dict[str, Any]:
    properties = {name: value for name, value in (PROPERTIES | changes).items() if value is not None}
    return {"type": "object", "properties": properties, "required": list(required)}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"schema": schema(new={"type": "boolean"})}, ("new", T.BOOLEAN, 4)),
        ({"schema": schema(n={"type": ["integer", "null"]})}, ("n", T.INTEGER, 2)),
        ({"schema": schema(required=())}, ("n", T.INTEGER, 2)),
        ({"schema": schema(n={"type": "number"})}, ("n", T.NUMBER, 2)),
        ({"schema": schema(s={"type": ["string", "null"], "maxLength": 5})}, ("s", T.STRING, 3)),
        ({"schema": schema(id={"type": "string", "title": "x"}), "existing": "leave"}, ("id", T.STRING, 1)),
    ],
)
def test_what_stored_rows_keep_to_may_change_while_they_are_left(
    patch: dict[str, Any], expected: tuple[str, ColumnType, int]
) -> None:
    after = redeclare(made(), {"dataset": patch})
    assert after.version == 2
    assert after.schema == patch["schema"]
    assert Column(*expected) in after.columns
    assert after.key == ("id",)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (schema(s=None), '"s" would be gone'),
        (schema(n={"type": "string"}), '"n" would go from integer to string'),
        (schema(s={"type": "string"}), '"s" would not take null'),
        (schema(required=("n", "s")), '"s" would be required'),
        (schema(required=("n", "new"), new={}), '"new" would be required'),
        (schema(n={"type": "null"}), '"n" would go from integer to untyped'),
    ],
)
def test_what_stored_rows_may_not_keep_to_is_refused_unless_they_are_touched(change: Any, why: str) -> None:
    with pytest.raises(Problem) as caught:
        redeclare(made(), {"schema": change})
    assert caught.value.code is SCHEMA_CHANGE_REFUSED
    assert why in caught.value.detail
    assert "existing=update" in caught.value.detail
    assert redeclare(made(), {"schema": change, "existing": "update"}).schema == change


def test_a_column_that_changes_its_type_gets_an_ordinal_no_column_ever_had() -> None:
    first = redeclare(made(), {"schema": schema(s=None), "existing": "delete"})
    assert [column.ordinal for column in first.columns] == [1, 2]
    assert first.next_ordinal == 4
    second = redeclare(first, {"schema": schema(n={"type": "string"}), "existing": "update"})
    assert second.columns == (Column("id", T.STRING, 1), Column("n", T.STRING, 4), Column("s", T.STRING, 5))
    emptied = redeclare(
        on_demand("acme", "d", 1, Additions((NewType("a", T.STRING),))),
        {"schema": {"properties": {}}, "existing": "delete"},
    )
    assert evolve(emptied, Additions((NewType("b", T.STRING),))).columns[0].ordinal == 2


def test_a_wide_integer_column_does_not_become_one_of_numbers() -> None:
    wide = evolve(made(), Additions(wide=("n",)))
    with pytest.raises(Problem, match="beyond"):
        redeclare(wide, {"schema": schema(n={"type": "number"})})
    assert redeclare(wide, {"schema": schema(new={})}).by_name["n"].wide


def test_the_key_changes_only_where_the_stored_records_are_touched() -> None:
    for mapping in ({"key": ["id", "n"]}, {"key": "n"}, None, {"key": [], "subkey": "id"}):
        with pytest.raises(Problem) as caught:
            redeclare(made(), {"columnMapping": mapping})
        assert caught.value.code is SCHEMA_CHANGE_REFUSED
    assert redeclare(made(), {"columnMapping": {"key": "id"}}).key == ("id",)
    assert redeclare(made(), {"columnMapping": {"key": ["id", "n"]}, "existing": "reingest"}).key == (
        "id",
        "n",
    )


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        (5, BAD_REQUEST),
        ({"existing": "burn"}, BAD_PARAMETER),
        ({"existing": ["leave"]}, BAD_PARAMETER),
        ({"mode": "loose"}, BAD_PARAMETER),
        ({"retention": "x"}, BAD_PARAMETER),
        ({"schema": {"type": "array"}}, BAD_SCHEMA),
        ({"partitionBy": ["n"]}, SCHEMA_CHANGE_REFUSED),
        ({"partitionBy": 5}, SCHEMA_CHANGE_REFUSED),
        ({"columnMapping": {"key": "n"}, "existing": "update"}, PARTITION_NOT_IN_KEY),
        ({"schema": {"properties": {"n": {"type": "integer"}}}, "existing": "update"}, BAD_MAPPING),
    ],
)
def test_what_a_patch_may_not_say_is_refused(patch: Any, code: Code) -> None:
    with pytest.raises(Problem) as caught:
        redeclare(made(), patch)
    assert caught.value.code is code


def test_mode_title_and_retention_change_by_themselves() -> None:
    before = made()
    after = redeclare(before, {"mode": "evolve", "title": "U", "retention": "9d", "partitionBy": ["id"]})
    assert (after.mode, after.title, after.retention) == ("evolve", "U", "9d")
    assert (after.schema, after.columns, after.key) == (before.schema, before.columns, before.key)
    cleared = redeclare(after, {"title": None, "retention": None})
    assert (cleared.mode, cleared.title, cleared.retention) == ("evolve", "", None)


def test_an_inferred_dataset_becomes_a_declared_one() -> None:
    inferred = on_demand("acme", "d", 1, Additions((NewType("a", T.UNTYPED), NewType("b", T.INTEGER))))
    after = redeclare(
        inferred,
        {"schema": {"properties": {"a": {"type": ["string", "null"]}, "b": {"type": ["integer", "null"]}}}},
    )
    assert after.columns == (Column("a", T.STRING, 1), Column("b", T.INTEGER, 2))
    assert after.declared
    assert redeclare(inferred, {"mode": "strict"}).declared
    assert not redeclare(inferred, {"title": "x"}).declared
    with pytest.raises(Problem, match="needs a schema"):
        redeclare(on_demand("acme", "d", 1), {"mode": "strict"})


def test_what_becomes_of_stored_records_is_left_unless_asked() -> None:
    assert read_existing({}) == "leave"
    assert read_existing({"dataset": {"existing": "reingest"}}) == "reingest"
