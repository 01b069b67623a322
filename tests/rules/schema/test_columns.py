import pytest

from rules.schema.columns import Shape, property_schema, resolve, schema_of, shape_of
from rules.schema.dataset import ColumnType


@pytest.mark.parametrize("kind", list(ColumnType))
def test_every_column_type_has_a_nullable_property_that_gives_it_back(kind: ColumnType) -> None:
    assert shape_of(property_schema(kind), {}) == Shape(kind, True)


@pytest.mark.parametrize(
    ("schema", "kind", "nullable"),
    [
        ({"type": "string"}, ColumnType.STRING, False),
        ({"type": "string", "format": "date"}, ColumnType.DATE, False),
        ({"type": ["null", "string"], "format": "date-time"}, ColumnType.DATETIME, True),
        ({"type": "string", "format": "email"}, ColumnType.STRING, False),
        ({"type": "integer", "format": "date"}, ColumnType.INTEGER, False),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ColumnType.INTEGER, True),
        ({"oneOf": [{"type": "array"}]}, ColumnType.ARRAY, False),
        ({"anyOf": [{"$ref": "#/$defs/a~1b"}, {"type": "null"}]}, ColumnType.OBJECT, True),
        ({"$ref": "#/$defs/a~1b", "description": "x"}, ColumnType.OBJECT, False),
        ({"type": ["integer", "string"]}, ColumnType.ANY, True),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, ColumnType.ANY, True),
        ({"enum": ["a"]}, ColumnType.ANY, True),
        ({"$ref": "#/$defs/loop"}, ColumnType.ANY, True),
        ({"$ref": "#/$defs/none"}, ColumnType.ANY, True),
        ({"type": "null"}, ColumnType.UNTYPED, True),
        (True, ColumnType.ANY, True),
        ({}, ColumnType.ANY, True),
    ],
)
def test_a_property_gives_its_column_the_one_type_it_names(
    schema: object, kind: ColumnType, nullable: bool
) -> None:
    root = {"$defs": {"a/b": {"type": "object"}, "loop": {"$ref": "#/$defs/loop"}}}
    assert shape_of(schema, root) == Shape(kind, nullable)


def test_a_pointer_finds_members_of_objects_and_lists_and_nothing_else() -> None:
    root = {"a b": [{"x": 1}]}
    assert resolve("#", root) is root
    assert resolve("#/a%20b/0/x", root) == 1
    for reference in ("#/a%20b/1", "#/a%20b/-1", "#anchor", "other#/a", "#/a%20b/0/x/y"):
        assert resolve(reference, root) is None


def test_an_inferred_schema_lists_its_columns_in_their_order() -> None:
    schema = schema_of({"b": ColumnType.NUMBER, "a": ColumnType.UNTYPED})
    assert schema["type"] == "object"
    assert list(schema["properties"].items()) == [
        ("b", {"type": ["number", "null"]}),
        ("a", {"type": "null"}),
    ]
