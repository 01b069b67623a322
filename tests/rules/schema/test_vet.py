from typing import Any

import pytest

from rules.errors import BAD_SCHEMA, Problem
from rules.limits import Limits
from rules.schema.dataset import Mode
from rules.schema.vet import vet_schema


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def nots(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def doubling(levels: int) -> dict[str, Any]:
    steps = {f"x{n}": {"allOf": [{"$ref": f"#/$defs/x{n + 1}"}] * 2} for n in range(levels)}
    return {**of(a={"$ref": "#/$defs/x0"}), "$defs": {**steps, f"x{levels}": {"type": "integer"}}}


def chain(length: int) -> dict[str, Any]:
    steps = {f"x{n}": {"$ref": f"#/$defs/x{n + 1}"} for n in range(length)}
    return {**of(a={"$ref": "#/$defs/x0"}), "$defs": {**steps, f"x{length}": {"type": "integer"}}}


def vet(schema: Any, mode: Mode = "strict") -> Any:
    return vet_schema(schema, mode, Limits())


TREE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "anchored": {"$ref": "#it"}}}


@pytest.mark.parametrize(
    "schema",
    [
        of(a={"type": "integer"}),
        {"properties": {"a": True}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **of(a={})},
        {
            "$id": "https://example.com/x",
            **of(a={"$ref": "#/$defs/node"}),
            "$defs": {"node": TREE, "b": {"$anchor": "it"}},
        },
        of(**{"$ref": {"type": "string"}, "pattern": {"type": "string"}, "$id": {"type": "string"}}),
        of(**{f"c{n}": {} for n in range(400)}),
        of(a={"type": "string", "pattern": r"^(a+)+\p{L}$", "format": "email"}),
        of(a=nots(61)),
        doubling(8),
        chain(30),
    ],
)
def test_a_schema_that_stands_by_itself_is_taken_as_it_is(schema: Any) -> None:
    assert vet(schema) is schema


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (5, "a JSON object"),
        ({}, "list its properties"),
        ({"type": "array"}, "an object"),
        ({"type": ["object", "null"], "properties": {}}, "an object"),
        (of(), "must have properties"),
        (of(a={"type": "strin"}), "/properties/a/type"),
        (of(a={"minLength": -1}), "minimum"),
        (of(a=5), "/properties/a"),
        ({**of(a={}), "required": "a"}, "/required"),
        ({**of(a={}), "required": ["b"]}, '"b", which is not among'),
        ({"$schema": "http://json-schema.org/draft-07/schema#", **of(a={})}, "draft-07"),
        (of(a={"$ref": "http://127.0.0.1/x"}), "within it"),
        (of(a={"items": [{"$dynamicRef": "file:///etc/passwd"}]}), "within it"),
        (of(a={"$ref": "#/$defs/none"}), "compiled"),
        (of(a={"$id": "https://example.com/other"}), "another document"),
        (of(a={"pattern": "(a)\\1"}), "linear time"),
        (of(a={"pattern": "(?=a)b"}), "linear time"),
        (of(a={"patternProperties": {"(": True}}), "linear time"),
        (of(a={"pattern": "((a{1,100}){1,100}){1,100}"}), "linear time"),
        (of(**{f"c{n}": {"pattern": "a"} for n in range(101)}), "100 patterns"),
        (of(**{f"c{n}": {} for n in range(401)}), "400 are allowed"),
        (of(_a={}), "reserved"),
        (of(**{"a\x00": {}}), "U+0000"),
        (of(a=nots(62)), "deeper than 64"),
        (of(a={"enum": list(range(10_001))}), "10000 parts"),
        (doubling(40), "2000 parts"),
        (chain(200), "64 deep"),
        ({**of(a={}), "allOf": [{"$ref": "#"}]}, "itself"),
        ({**of(a={"$ref": "#it"}), "$defs": {"x": {"$anchor": "it", "anyOf": [{"$ref": "#it"}]}}}, "itself"),
    ],
)
def test_a_schema_that_cannot_be_had_is_refused_with_the_reason(schema: Any, why: str) -> None:
    with pytest.raises(Problem) as caught:
        vet(schema)
    assert caught.value.code is BAD_SCHEMA
    assert why in caught.value.detail
    assert len(caught.value.detail) < 500


def test_a_schema_that_evolves_may_be_empty_and_require_what_is_yet_to_come() -> None:
    assert vet(of(), "evolve")
    assert vet({**of(a={}), "required": ["b"]}, "evolve")
