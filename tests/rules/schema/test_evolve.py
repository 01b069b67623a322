from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import VERSION_CONFLICT, Problem
from rules.schema.columns import shape_of
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.declare import declare, on_demand
from rules.schema.evolve import NOTHING, Additions, NewType, evolve

T = ColumnType
NEW = st.lists(
    st.builds(NewType, st.sampled_from("abcdef"), st.sampled_from(list(T))), unique_by=lambda new: new.name
)


def made(**columns: ColumnType) -> Dataset:
    return on_demand("acme", "d", 1, Additions(tuple(NewType(n, kind) for n, kind in columns.items())))


@given(NEW, NEW)
def test_versions_rise_ordinals_stay_and_the_schema_tells_the_columns(
    first: list[NewType], second: list[NewType]
) -> None:
    before = evolve(made(), Additions(tuple(first)))
    try:
        after = evolve(before, Additions(tuple(second)))
    except Problem as problem:
        assert problem.code is VERSION_CONFLICT
        return
    assert after.version == before.version + 1
    ordinals = [column.ordinal for column in after.columns]
    assert ordinals == list(range(1, len(ordinals) + 1))
    assert [c.name for c in after.columns][: len(before.columns)] == [c.name for c in before.columns]
    properties = after.schema["properties"]
    assert [shape_of(properties[c.name], {}).type for c in after.columns] == [c.type for c in after.columns]


@given(NEW)
def test_what_is_so_already_is_left_alone(new: list[NewType]) -> None:
    once = evolve(made(), Additions(tuple(new)))
    again = evolve(once, Additions(tuple(new)))
    assert (again.columns, again.schema) == (once.columns, once.schema)


def test_the_old_version_is_not_changed() -> None:
    before = made(a=T.INTEGER)
    schema = {**before.schema["properties"]}
    evolve(before, Additions((NewType("b", T.STRING),), widened=("a",)))
    assert before.schema["properties"] == schema
    assert len(before.columns) == 1


def test_an_integer_column_becomes_one_of_numbers_where_it_stands() -> None:
    after = evolve(made(a=T.INTEGER, b=T.STRING), Additions(widened=("a",)))
    assert [(c.name, c.type, c.ordinal) for c in after.columns] == [("a", T.NUMBER, 1), ("b", T.STRING, 2)]
    assert after.schema["properties"]["a"] == {"type": ["number", "null"]}
    assert evolve(after, Additions(widened=("a",))).columns == after.columns


@pytest.mark.parametrize(
    ("schema", "widened"),
    [
        ({"type": "integer", "minimum": 0}, {"type": "number", "minimum": 0}),
        (
            {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            {"anyOf": [{"type": "number"}, {"type": "null"}]},
        ),
        ({"$ref": "#/$defs/n"}, {"type": "number", "maximum": 9}),
        ({"$ref": "#/$defs/n", "title": "N"}, {"anyOf": [{"type": "number", "maximum": 9}], "title": "N"}),
    ],
)
def test_a_declared_property_widens_and_keeps_its_rules(schema: Any, widened: Any) -> None:
    body = {
        "datasetId": "d",
        "mode": "evolve",
        "schema": {
            "properties": {"a": schema, "b": {"$ref": "#/$defs/n"}},
            "$defs": {"n": {"type": "integer", "maximum": 9}},
        },
    }
    after = evolve(declare("acme", body, 1), Additions(widened=("a",)))
    assert after.schema["properties"] == {"a": widened, "b": {"$ref": "#/$defs/n"}}
    assert shape_of(after.schema["properties"]["a"], after.schema).type is T.NUMBER


def test_an_untyped_column_gets_its_type_and_keeps_its_title() -> None:
    body = {
        "datasetId": "d",
        "mode": "evolve",
        "schema": {"properties": {"a": {"type": "null", "title": "A"}}},
    }
    after = evolve(declare("acme", body, 1), Additions(typed=(NewType("a", T.INTEGER, True),)))
    assert after.columns[0].type is T.INTEGER
    assert after.columns[0].wide
    assert after.schema["properties"]["a"] == {"title": "A", "type": ["integer", "null"]}


def test_a_column_that_joins_the_key_stands_at_its_end() -> None:
    additions = Additions((NewType("host", T.STRING),), key=("host",))
    after = evolve(
        on_demand("acme", "cpu", 1, Additions((NewType("time", T.DATETIME),)), key=("time",)), additions
    )
    assert after.key == ("time", "host")
    assert evolve(after, additions).key == ("time", "host")


@pytest.mark.parametrize(
    "additions",
    [
        Additions((NewType("a", T.INTEGER),)),
        Additions(typed=(NewType("a", T.DATE),)),
        Additions(widened=("a",)),
        Additions(widened=("gone",)),
        Additions(wide=("a",)),
        Additions(wide=("gone",)),
    ],
)
def test_an_addition_that_does_not_fit_any_more_is_refused_by_name(additions: Additions) -> None:
    with pytest.raises(Problem) as caught:
        evolve(made(a=T.STRING), additions)
    assert caught.value.code is VERSION_CONFLICT
    assert '"a"' in caught.value.detail or '"gone"' in caught.value.detail


def test_a_wide_column_does_not_widen_and_numbers_take_integers() -> None:
    wide = evolve(made(a=T.INTEGER), Additions(wide=("a",)))
    assert wide.columns[0].wide
    with pytest.raises(Problem):
        evolve(wide, Additions(widened=("a",)))
    assert evolve(made(a=T.NUMBER), Additions((NewType("a", T.INTEGER),))).columns[0].type is T.NUMBER
    with pytest.raises(Problem):
        evolve(made(a=T.NUMBER), Additions((NewType("a", T.INTEGER, True),)))


def test_additions_are_false_where_nothing_is_asked_for() -> None:
    assert not NOTHING
    assert Additions(wide=("a",))
    assert Additions(key=("a",))
