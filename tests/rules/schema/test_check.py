from typing import Any

import pytest

from rules.errors import (
    BAD_FIELD_NAME,
    BAD_MOMENT,
    BAD_TEXT,
    MISSING_KEY,
    NOT_AN_OBJECT,
    NUMBER_OUT_OF_RANGE,
    SCHEMA_VIOLATION,
    TOO_DEEP,
    UNKNOWN_FIELD,
    WRONG_TYPE,
    Code,
)
from rules.schema.check import Checker, Verdict
from rules.schema.dataset import ColumnType
from rules.schema.evolve import Additions
from tests.rules.schema.making import check, declared, made, reasons

T = ColumnType


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def test_records_that_are_valid_as_they_stand_come_back_as_they_are() -> None:
    records = [{"a": 1, "b": "x"}, {"a": None}, {}]
    verdict = Checker(made({"a": T.INTEGER, "b": T.STRING})).check(records, plain=True)
    assert verdict == Verdict(records)
    assert verdict.records is records


@pytest.mark.parametrize("plain", [True, False])
def test_no_record_is_valid(plain: bool) -> None:
    assert check(made({}), plain=plain) == Verdict([])


def test_the_good_are_accepted_and_the_bad_are_named() -> None:
    verdict = check(made({"a": T.INTEGER}), {"a": 1}, {"a": "x"}, 5, {"a": 2})
    assert verdict.accepted == [0, 3]
    assert verdict.records == [{"a": 1}, {"a": 2}]
    assert verdict.refused == 2
    assert reasons(verdict) == [(1, "/a", WRONG_TYPE), (2, "", NOT_AN_OBJECT)]
    assert verdict.refusals[0].message == 'Column "a" takes an integer; the text "x" came.'


def test_id_and_time_sent_back_are_left_out() -> None:
    verdict = check(made({"a": T.INTEGER}), {"_id": "x", "a": 1, "_time": "y"}, plain=True)
    assert verdict.records == [{"a": 1}]
    assert verdict.accepted is None
    assert not verdict.additions


@pytest.mark.parametrize("name", ["", "_a", "a" * 257, "a\x00"])
def test_a_property_name_that_is_not_allowed_refuses_the_record(name: str) -> None:
    for dataset in (made({}), declared({"a": {}})):
        verdict = check(dataset, {name: 1})
        assert [code for _, _, code in reasons(verdict)] == [BAD_FIELD_NAME]


def test_texts_that_cannot_be_stored_are_refused_wherever_they_stand() -> None:
    dataset = made({"a": T.STRING, "o": T.OBJECT})
    verdict = check(
        dataset, {"a": "x\x00"}, {"o": {"p": ["\ud800"]}}, {"new": "\x00"}, {"\ud800": 1}, {"a": "é"}
    )
    assert reasons(verdict) == [
        (0, "/a", BAD_TEXT),
        (1, "/o/p/0", BAD_TEXT),
        (2, "/new", BAD_TEXT),
        (3, "", BAD_TEXT),
    ]


def test_lone_surrogates_are_refused_of_declared_schemas_too() -> None:
    dataset = declared({"a": {"type": "string", "minLength": 1}, "o": {"enum": ["x"]}})
    verdict = check(dataset, {"a": "\ud800"}, {"o": {"\ud800": 1}})
    assert [code for _, _, code in reasons(verdict)] == [BAD_TEXT, BAD_TEXT]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        (T.INTEGER, 2**63, NUMBER_OUT_OF_RANGE),
        (T.INTEGER, -(2**63) - 1, NUMBER_OUT_OF_RANGE),
        (T.NUMBER, 2**53 + 1, NUMBER_OUT_OF_RANGE),
        (T.ANY, 2**64, NUMBER_OUT_OF_RANGE),
        (T.OBJECT, {"a": [2**64]}, NUMBER_OUT_OF_RANGE),
        (T.ARRAY, [-(2**63) - 1], NUMBER_OUT_OF_RANGE),
        (T.NUMBER, float("nan"), NUMBER_OUT_OF_RANGE),
        (T.DATETIME, "2026-02-29T00:00:00Z", BAD_MOMENT),
        (T.DATE, "2026-11-21T00:00:00Z", BAD_MOMENT),
        (T.BOOLEAN, 1, WRONG_TYPE),
        (T.STRING, 1, WRONG_TYPE),
    ],
)
def test_what_a_column_cannot_hold_is_refused(column: ColumnType, value: Any, code: Code) -> None:
    verdict = check(made({"a": column}), {"a": value})
    assert [found for _, _, found in reasons(verdict)] == [code]
    assert not verdict.additions


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (T.INTEGER, 5.0),
        (T.NUMBER, 2**53),
        (T.NUMBER, 1e300),
        (T.ANY, 2**64 - 1),
        (T.OBJECT, {"a": [-(2**63)]}),
        (T.DATETIME, "1677-10-01 00:00:00z"),
        (T.DATETIME, "2024-02-29"),
        (T.DATE, "0001-01-01"),
        (T.DATE, "2000-02-29"),
    ],
)
def test_what_a_column_can_hold_is_accepted_without_a_change(column: ColumnType, value: Any) -> None:
    assert check(made({"a": column}), {"a": value}) == Verdict([{"a": value}])


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("column", ["o", "new", "s"])
def test_nesting_is_bounded_in_every_column(plain: bool, column: str) -> None:
    dataset = made({"o": T.ANY, "s": T.OBJECT})
    verdict = check(
        dataset, {column: nested(63)}, {column: nested(64)}, {column: nested(50_000)}, plain=plain
    )
    assert verdict.accepted == [0]
    assert [code for _, _, code in reasons(verdict)] == [TOO_DEEP, TOO_DEEP]


@pytest.mark.parametrize("mode", ["strict", "evolve"])
def test_nesting_is_bounded_under_a_recursive_schema(mode: str) -> None:
    node = {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}}
    dataset = declared({"o": {"$ref": "#/$defs/node"}}, mode, **{"$defs": {"node": node}})
    verdict = check(dataset, {"o": nested(63)}, {"o": nested(64)}, {"o": nested(50_000)}, plain=True)
    assert reasons(verdict)[0][2] is TOO_DEEP
    assert verdict.accepted == [0]


def test_a_validator_that_cannot_go_so_deep_refuses_and_does_not_break() -> None:
    verdict = check(
        declared({"o": {"uniqueItems": True, "minItems": 1}}), {"o": [nested(300)] * 2}, nesting=900
    )
    assert [code for _, _, code in reasons(verdict)] == [SCHEMA_VIOLATION]


def test_key_columns_must_be_there_and_not_null() -> None:
    dataset = declared({"id": {"type": ["string", "null"]}, "n": {"type": "integer"}}, key=["id", "n"])
    verdict = check(dataset, {"id": "a", "n": 1}, {"id": None, "n": 1}, {"n": 2}, {}, plain=True)
    assert verdict.accepted == [0]
    assert reasons(verdict) == [
        (1, "/id", MISSING_KEY),
        (2, "/id", MISSING_KEY),
        (3, "/id", MISSING_KEY),
        (3, "/n", MISSING_KEY),
    ]


def test_tags_of_a_measurement_may_be_absent_but_its_time_may_not() -> None:
    columns = {"host": T.STRING, "time": T.DATETIME, "v": T.NUMBER}
    dataset = made(columns, key=("host", "time"), date="time", labels={"measurement": "cpu"})
    verdict = check(dataset, {"time": "2026-11-21T12:00:00Z", "v": 1.5}, {"host": "a", "v": 1.5})
    assert reasons(verdict) == [(1, "/time", MISSING_KEY)]


def test_a_strict_dataset_takes_no_other_columns() -> None:
    verdict = check(declared({"a": {"type": "integer"}}), {"a": 1, "b": 2, "c/d": 3})
    assert reasons(verdict) == [(0, "/b", UNKNOWN_FIELD), (0, "/c~1d", UNKNOWN_FIELD)]


@pytest.mark.parametrize("word", ["additionalProperties", "unevaluatedProperties"])
def test_a_closed_schema_takes_no_other_columns_even_where_it_evolves(word: str) -> None:
    dataset = declared({"a": {"type": "integer"}}, "evolve", **{word: False})
    verdict = check(dataset, {"a": 1, "b": 2}, {"a": 1.5})
    assert reasons(verdict) == [(0, "/b", UNKNOWN_FIELD)]
    assert verdict.additions == Additions(widened=("a",))


@pytest.mark.parametrize(
    ("schema", "value", "keyword"),
    [
        ({"type": "string", "minLength": 2}, "x", "minLength"),
        ({"enum": ["red", "green"]}, "blue", "enum"),
        ({"type": "number", "exclusiveMinimum": 0}, 0, "exclusiveMinimum"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "A", "pattern"),
        ({"type": "array", "maxItems": 1}, [1, 2], "maxItems"),
        ({"not": {"const": 5}}, 5, "not"),
    ],
)
def test_a_broken_rule_of_the_schema_is_worded_with_its_keyword(
    schema: Any, value: Any, keyword: str
) -> None:
    verdict = check(declared({"a": schema}), {"a": value}, plain=True)
    assert reasons(verdict) == [(0, "/a", SCHEMA_VIOLATION)]
    assert f"(the schema's {keyword})" in verdict.refusals[0].message


def test_a_value_in_a_message_is_cut() -> None:
    verdict = check(declared({"a": {"type": "string", "maxLength": 3}}), {"a": "x" * 10_000})
    assert len(verdict.refusals[0].message) < 200


def test_a_required_property_that_is_missing_is_pointed_at() -> None:
    inner = {"type": "object", "required": ["b"], "properties": {"b": {}}}
    dataset = declared({"a": inner, "c": {"type": "string"}}, required=["c"])
    assert {path for _, path, _ in reasons(check(dataset, {"a": {}}))} == {"/a/b", "/c"}


def test_a_declared_type_decides_whether_null_is_taken() -> None:
    dataset = declared({"a": {"type": "string"}, "b": {"anyOf": [{"type": "string"}, {"type": "null"}]}})
    verdict = check(dataset, {"b": None}, {"a": None}, plain=True)
    assert reasons(verdict) == [(1, "/a", WRONG_TYPE)]


def test_at_most_five_problems_of_a_record_are_named() -> None:
    verdict = check(
        declared({f"c{n}": {"type": "integer"} for n in range(9)}), {f"c{n}": "x" for n in range(9)}
    )
    assert len(verdict.refusals) == 5
    assert verdict.refused == 1


def test_all_refused_records_are_counted_and_the_first_are_explained() -> None:
    verdict = check(made({}), *range(1000))
    assert verdict.refused == 1000
    assert len(verdict.refusals) == 100
    assert verdict.accepted == []
    kept = Checker(made({})).check([1, {"a": 1}, 2, 3], plain=True, keep=2)
    assert [refusal.index for refusal in kept.refusals] == [0, 2]


def test_a_schema_may_bear_the_identity_of_its_own_and_refer_to_it() -> None:
    dataset = declared(
        {"a": {"$ref": "#/$defs/small"}, "b": {"$ref": "#tiny"}},
        **{
            "$id": "https://example.com/order",
            "$defs": {"small": {"type": "integer", "maximum": 9}, "t": {"$anchor": "tiny", "maximum": 1}},
        },
    )
    assert [path for _, path, _ in reasons(check(dataset, {"a": 9, "b": 1}, {"a": 10, "b": 2}))] == [
        "/a",
        "/b",
    ]
