from rules.errors import (
    BAD_FIELD_NAME,
    NUMBER_OUT_OF_RANGE,
    SCHEMA_VIOLATION,
    TOO_MANY_COLUMNS,
    WRONG_TYPE,
)
from rules.schema.dataset import ColumnType
from rules.schema.evolve import Additions, NewType, evolve
from tests.rules.schema.making import check, declared, made, reasons

T = ColumnType


def test_new_properties_become_columns_of_the_type_their_values_join_to() -> None:
    verdict = check(made({}), {"a": 1, "b": None, "c": "2026-11-21"}, {"a": 1.5, "c": "x", "d": 2**60})
    assert verdict.accepted is None
    assert verdict.additions.columns == (
        NewType("a", T.NUMBER),
        NewType("b", T.UNTYPED),
        NewType("c", T.STRING),
        NewType("d", T.INTEGER, True),
    )


def test_the_first_value_decides_and_a_refused_record_decides_nothing() -> None:
    verdict = check(made({}), {"a": "x", "_bad": 1}, {"a": 1}, {"a": "x"}, {"a": True})
    assert verdict.accepted == [1]
    assert verdict.additions.columns == (NewType("a", T.INTEGER),)
    assert [code for _, _, code in reasons(verdict)] == [BAD_FIELD_NAME, WRONG_TYPE, WRONG_TYPE]


def test_an_untyped_column_gets_its_type_from_the_first_value() -> None:
    dataset = made({"a": T.UNTYPED})
    assert not check(dataset, {"a": None}).additions
    verdict = check(dataset, {"a": None}, {"a": 1}, {"a": 2.5}, {"a": "x"})
    assert verdict.additions == Additions(typed=(NewType("a", T.NUMBER),))
    assert reasons(verdict) == [(3, "/a", WRONG_TYPE)]


def test_an_integer_column_widens_only_while_it_can_and_only_in_evolve_mode() -> None:
    assert check(made({"a": T.INTEGER}), {"a": 1}, {"a": 1.5}).additions == Additions(widened=("a",))
    assert check(made({"a": T.INTEGER}), {"a": 1e300}).additions == Additions(widened=("a",))
    strict = check(declared({"a": {"type": "integer"}}), {"a": 1.5})
    assert reasons(strict) == [(0, "/a", WRONG_TYPE)]
    wide = evolve(made({"a": T.INTEGER}), Additions(wide=("a",)))
    assert reasons(check(wide, {"a": 1.5}, {"a": 5.0})) == [(0, "/a", WRONG_TYPE)]


def test_within_a_batch_the_earlier_record_decides_whether_a_column_widens() -> None:
    dataset = made({"a": T.INTEGER})
    first_wide = check(dataset, {"a": 2**60}, {"a": 1.5}, {"a": 1e300})
    assert first_wide.additions == Additions(wide=("a",))
    assert [code for _, _, code in reasons(first_wide)] == [WRONG_TYPE, NUMBER_OUT_OF_RANGE]
    first_number = check(dataset, {"a": 1.5}, {"a": 2**60}, {"a": 1e17})
    assert first_number.additions == Additions(widened=("a",))
    assert reasons(first_number) == [(1, "/a", NUMBER_OUT_OF_RANGE)]


def test_a_wide_value_is_marked_once_in_strict_mode_too() -> None:
    dataset = declared({"a": {"type": "integer"}})
    verdict = check(dataset, {"a": 2**60}, {"a": 1e17})
    assert verdict.additions == Additions(wide=("a",))
    assert not check(evolve(dataset, verdict.additions), {"a": 2**60}).additions


def test_a_rule_of_the_schema_holds_for_a_widening_value() -> None:
    dataset = declared({"a": {"type": "integer", "minimum": 0}}, "evolve")
    verdict = check(dataset, {"a": -1.5}, {"a": 1.5})
    assert reasons(verdict) == [(0, "/a", SCHEMA_VIOLATION)]
    assert verdict.additions == Additions(widened=("a",))


def test_more_columns_than_the_limit_refuse_the_record_that_brings_them() -> None:
    verdict = check(made({"a": T.STRING}), {"b": 1}, {"c": 1, "d": 1}, {"c": 1}, {"b": 2}, columns=3)
    assert verdict.accepted == [0, 2, 3]
    assert reasons(verdict) == [(1, "/d", TOO_MANY_COLUMNS)]
    assert [new.name for new in verdict.additions.columns] == ["b", "c"]


def test_new_columns_keep_to_what_the_schema_says_of_others() -> None:
    dataset = declared({"a": {}}, "evolve", additionalProperties={"type": "string", "maxLength": 3})
    verdict = check(dataset, {"b": "abc"}, {"c": "abcd"}, {"d": 1})
    assert [(path, code) for _, path, code in reasons(verdict)] == [
        ("/c", SCHEMA_VIOLATION),
        ("/d", WRONG_TYPE),
    ]
    after = evolve(dataset, verdict.additions)
    assert reasons(check(after, {"b": "abcd"}))[0][1:] == ("/b", SCHEMA_VIOLATION)
