"""The checker against the reference validator in Python, on schemas and records drawn at random.

Verdicts are the same, less what is ours (a strict dataset takes no column it has not declared, a column's
own range and dates) and less what the two validators read differently and is therefore not drawn: `\\d` and
`\\w` on text beyond ASCII, `multipleOf` of fractions, `format` (an annotation to the reference).
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rules.schema.check import Checker
from rules.schema.dataset import MAX_EXACT, ColumnType, Dataset, Mode
from rules.schema.declare import declare, on_demand
from rules.schema.evolve import Additions, NewType, evolve
from rules.schema.fit import is_wide, misfit
from rules.schema.moments import MAX_MOMENT, MIN_MOMENT, format_moment, parse_date, parse_moment

T = ColumnType
NAMES = "abcd"
SMALL = st.integers(-3, 3)
NUMBERS = SMALL | st.sampled_from([0.5, -1.5, 2.0, 3.0])
TEXTS = st.text(alphabet="abé", max_size=4)
DEFINITIONS = {
    "small": {"type": "integer", "maximum": 2},
    "node": {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}}},
}


def given_some(**words: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=words)


def typed(word: str, rules: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda nullable, more: {"type": [word, "null"] if nullable else word, **more}, st.booleans(), rules
    )


SIZES = st.integers(0, 3)
SCALARS = st.one_of(
    typed(
        "string",
        given_some(minLength=SIZES, maxLength=SIZES, pattern=st.sampled_from(["^a", "b$", "^[ab]*$"])),
    ),
    typed("integer", given_some(minimum=SMALL, exclusiveMaximum=SMALL, multipleOf=st.integers(1, 3))),
    typed(
        "number", given_some(maximum=NUMBERS, exclusiveMinimum=NUMBERS, enum=st.lists(NUMBERS, min_size=1))
    ),
    typed("boolean", given_some(const=st.booleans())),
    st.sampled_from([{}, True, False, {"type": "null"}, {"$ref": "#/$defs/small"}, {"$ref": "#/$defs/node"}]),
    st.builds(lambda values: {"enum": values}, st.lists(NUMBERS | TEXTS | st.none(), min_size=1, max_size=3)),
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)
    some_names = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)
    return st.one_of(
        typed("array", given_some(items=inner, minItems=SIZES, maxItems=SIZES, uniqueItems=st.booleans())),
        typed("object", given_some(properties=fields, required=some_names, additionalProperties=inner)),
        st.builds(
            lambda word, parts: {word: parts},
            st.sampled_from(["anyOf", "oneOf", "allOf"]),
            st.lists(inner, min_size=1, max_size=2),
        ),
        st.builds(lambda part: {"anyOf": [part, {"type": "null"}]}, inner),
        st.builds(lambda part: {"not": part}, inner),
    )


PROPERTIES = st.recursive(SCALARS, containers, max_leaves=4)
SCHEMAS = st.builds(
    lambda properties, more: {"type": "object", "properties": properties, "$defs": DEFINITIONS, **more},
    st.dictionaries(st.sampled_from(NAMES), PROPERTIES, min_size=1, max_size=3),
    given_some(
        minProperties=SIZES,
        maxProperties=SIZES,
        additionalProperties=st.booleans() | SCALARS,
        dependentRequired=st.dictionaries(
            st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=1)
        ),
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "v", "next"]), inner, max_size=3)
    ),
    max_leaves=5,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(NAMES + "e"), JSON, max_size=4), min_size=1, max_size=4)
REQUIRED = st.lists(st.sampled_from(NAMES), max_size=1)


def declared(schema: dict[str, Any], mode: Mode, required: list[str]) -> Dataset:
    known = [name for name in required if name in schema["properties"]]
    return declare("acme", {"datasetId": "d", "schema": {**schema, "required": known}, "mode": mode}, 1)


@settings(max_examples=120, deadline=None)
@given(SCHEMAS, REQUIRED, RECORDS, st.booleans())
def test_a_strict_dataset_takes_what_the_reference_takes_of_its_columns(
    schema: dict[str, Any], required: list[str], records: list[dict[str, Any]], plain: bool
) -> None:
    dataset = declared(schema, "strict", required)
    reference = Draft202012Validator(dataset.schema)
    verdict = Checker(dataset).check(records, plain=plain)
    expected = [
        position
        for position, record in enumerate(records)
        if reference.is_valid(record) and record.keys() <= dataset.by_name.keys()
    ]
    assert (list(range(len(records))) if verdict.accepted is None else verdict.accepted) == expected
    assert verdict.records == [records[position] for position in expected]
    assert {refusal.index for refusal in verdict.refusals} == set(range(len(records))) - set(expected)
    assert not verdict.additions


@settings(max_examples=120, deadline=None)
@given(SCHEMAS, REQUIRED, RECORDS)
def test_an_evolving_dataset_takes_what_the_reference_takes_of_it_or_of_its_next_version(
    schema: dict[str, Any], required: list[str], records: list[dict[str, Any]]
) -> None:
    dataset = declared(schema, "evolve", required)
    before = Draft202012Validator(dataset.schema)
    for record in records:
        if before.is_valid(record):
            assert Checker(dataset).check([record], plain=True).accepted is None
    verdict = Checker(dataset).check(records, plain=True)
    after = evolve(dataset, verdict.additions)
    assert Checker(after).check(verdict.records, plain=True).accepted is None
    assert not Checker(after).check(verdict.records, plain=True).additions
    reference = Draft202012Validator(after.schema)
    assert all(reference.is_valid(record) for record in verdict.records)


INTEGERS = st.integers(-(2**64) - 1, 2**64 + 1) | st.sampled_from(
    [1, 2**60, MAX_EXACT, MAX_EXACT + 1, -MAX_EXACT - 1, 2**63]
)
FLOATS = st.floats() | st.sampled_from([1e16, -1e16, 9.3e18, 5.0, 1e300])
MOMENTS = st.one_of(
    st.integers(MIN_MOMENT, MAX_MOMENT).map(format_moment),
    st.dates().map(str),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.sampled_from(
        [
            "2024-02-29T00:00:00z",
            "1900-02-29",
            "2000-02-29 23:59:59+23:59",
            "2026-04-31",
            "1700-01-01T00:00:00-00:01",
        ]
    ),
    st.from_regex(
        r"(1[6-9]|2[0-3])\d\d-[01]\d-[0-3]\d"
        r"([Tt ][0-2]\d:[0-6]\d:[0-6]\d(\.\d{1,10})?([Zz]|[+-][0-2]\d:[0-6]\d))?",
        fullmatch=True,
    ),
)
ANYTHING = st.one_of(
    INTEGERS,
    FLOATS,
    MOMENTS,
    st.text(max_size=3),
    st.none(),
    st.booleans(),
    st.just({"a": [1]}),
    st.just([{}]),
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from("ab"), st.sampled_from([*T, T.INTEGER, T.INTEGER]), max_size=2),
    st.lists(st.dictionaries(st.sampled_from("abc"), ANYTHING | INTEGERS | FLOATS), min_size=1, max_size=5),
    st.booleans(),
)
def test_what_is_accepted_fits_the_columns_that_it_leads_to(
    columns: dict[str, ColumnType], records: list[dict[str, Any]], wide: bool
) -> None:
    new = tuple(NewType(name, kind, wide and kind is T.INTEGER) for name, kind in columns.items())
    dataset = on_demand("acme", "d", 1, Additions(new))
    verdict = Checker(dataset).check(records, plain=False)
    after = evolve(dataset, verdict.additions)
    for record in verdict.records:
        for name, value in record.items():
            column = after.by_name[name]
            assert value is None or converts(column.type, value)
            assert column.wide or column.type is not T.INTEGER or not is_wide(value)
    assert not Checker(after).check(verdict.records, plain=False).additions


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([T.DATE, T.DATETIME, T.INTEGER, T.NUMBER]), ANYTHING)
def test_one_value_is_accepted_exactly_where_it_fits_its_column(kind: ColumnType, value: Any) -> None:
    schema = on_demand("acme", "d", 1, Additions((NewType("a", kind),))).schema
    strict = declare("acme", {"datasetId": "d", "schema": schema}, 1)
    verdict = Checker(strict).check([{"a": value}], plain=False)
    assert (verdict.refused == 0) == (misfit("a", kind, value) is None)


def converts(kind: ColumnType, value: Any) -> bool:
    """Return whether the store could convert the value without losing any of it."""
    match kind:
        case T.INTEGER:
            return int(value) == value and -(2**63) <= int(value) < 2**63
        case T.UNSIGNED:
            return int(value) == value and 0 <= int(value) < 2**64
        case T.NUMBER:
            return float(value) == value and not isinstance(value, bool)
        case T.DATETIME:
            return MIN_MOMENT <= parse_moment(value) <= MAX_MOMENT
        case T.DATE:
            return parse_date(value) == value
        case T.ANY:
            return True
        case T.UNTYPED:
            return False
    return type(value) is {T.STRING: str, T.BOOLEAN: bool, T.OBJECT: dict, T.ARRAY: list}[kind]
