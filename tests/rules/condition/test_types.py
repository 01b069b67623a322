from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.condition.functions import EvaluationError
from rules.condition.instants import with_instants
from rules.condition.interpret import interpret
from rules.condition.parse import parse
from rules.condition.types import MAX_MISFITS, misfits
from rules.limits import Limits
from rules.schema.dataset import ColumnType
from tests.rules.condition.trees import FIELDS, PATTERNS, TREES_OF_COLUMNS

COLUMNS = {
    "symbol": ColumnType.STRING,
    "temp": ColumnType.NUMBER,
    "count": ColumnType.INTEGER,
    "on": ColumnType.BOOLEAN,
    "day": ColumnType.DATE,
    "ts": ColumnType.DATETIME,
    "box": ColumnType.OBJECT,
    "tags": ColumnType.ARRAY,
    "any": ColumnType.ANY,
    "new": ColumnType.UNTYPED,
}


def found(source: str) -> list[tuple[int, str]]:
    tree = parse(source, Limits())
    return [(misfit.at, misfit.message) for misfit in misfits(tree, COLUMNS)]


@pytest.mark.parametrize(
    "source",
    [
        "symbol == 'GM' && temp > 30 && count <= 2.5 || on",
        "!on && on == true && on != false",
        "symbol == null || null != temp || box == null",
        "symbol in ['a', 'b', null] && 'x' in tags && 'k' in box && count in tags",
        "box.a.b > 5 && tags[0] == 'x' && box.a.startsWith('y') && box.flag",
        "any > 5 || any == 'x' || any.b[0] || new < 1 || new == true || any in new",
        "ts > '2024-01-01T00:00:00Z' && ts < '2024-06-01' && ts in ['2024-01-01', null]",
        "day > '2024-01-01' && day < ts && ts == symbol",
        "symbol.startsWith('a') && ts.contains('T') && day.endsWith('1') && symbol.matches('x')",
        "size(symbol) > 1 && size(tags) == 2 && box.size() > count",
        "temp + count * 2 / 3 - -temp % 5 > any",
        "symbol + 'x' == 'ax' && symbol + any > 'a' && any + new == 5",
        "has(symbol) && has(box.a) && !has(any.b[0])",
        "_id == 'x' && _time > '2024-01-01'",
        "any && new",
    ],
)
def test_these_fit(source: str) -> None:
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "at", "message"),
    [
        ("on && tmep > 5", 6, "the dataset has no field 'tmep'; did you mean 'temp'?"),
        ("SYMBOL == 'x'", 0, "did you mean 'symbol'?"),
        ("zzzzzz == 'x'", 0, "the dataset has no field 'zzzzzz'"),
        ("has(simbol)", 4, "did you mean 'symbol'?"),
        ("tmep.a == 1", 0, "did you mean 'temp'?"),
        ("_tim > '2024-01-01'", 0, "did you mean '_time'?"),
        (
            "symbol == 5",
            7,
            "unlike types are never equal and have no order: 'symbol' is a text, this is a number",
        ),
        ("temp != 'x'", 5, "'temp' is a number, this is a text"),
        ("on == 1", 3, "'on' is a boolean, this is a number"),
        ("temp < symbol", 5, "'temp' is a number, 'symbol' is a text"),
        ("ts > 5", 3, "'ts' is a text, this is a number"),
        ("box == 'x'", 4, "'box' is an object, this is a text"),
        ("temp > null", 7, "'>' needs numbers or texts; this is null"),
        ("on < true", 0, "'<' needs numbers or texts; 'on' is a boolean"),
        ("box >= 1", 0, "'>=' needs numbers or texts; 'box' is an object"),
        ("1 < tags", 4, "'<' needs numbers or texts; 'tags' is a list"),
        ("count > 0 > 1", 6, "'>' needs numbers or texts; this is a boolean"),
        ("temp.startsWith('x')", 0, "startsWith() needs texts; 'temp' is a number"),
        ("symbol.contains(5)", 16, "contains() needs texts; this is a number"),
        ("on.matches('x')", 0, "matches() needs texts; 'on' is a boolean"),
        ("size(count) > 1", 5, "size() needs a text, a list or an object; 'count' is a number"),
        ("symbol * 2 > 1", 0, "'*' needs numbers; 'symbol' is a text"),
        ("on + 1 > 1", 0, "'+' needs two numbers or two texts; 'on' is a boolean"),
        ("symbol + 1 == 'x'", 9, "'+' needs two numbers or two texts; this is a number"),
        ("-symbol == 5", 1, "'-' needs a number; 'symbol' is a text"),
        ("symbol in ['a', 5]", 16, "'symbol' is a text, this is a number"),
        ("'x' in symbol", 7, "'in' needs a list or an object behind it; 'symbol' is a text"),
        ("temp in box", 0, "the keys of an object are texts; 'temp' is a number"),
        ("temp", 0, "a condition is true or false; 'temp' is a number"),
        ("temp + 1", 5, "a condition is true or false; this is a number"),
        ("'x'", 0, "a condition is true or false; this is a text"),
        ("on && temp", 6, "'&&' needs true or false on both sides; 'temp' is a number"),
        ("symbol || on", 0, "'||' needs true or false on both sides; 'symbol' is a text"),
        ("!temp", 1, "'!' needs true or false; 'temp' is a number"),
        ("temp.a == 1", 0, "'temp' is a number and has no 'a'"),
        ("box[0] == 1", 0, "'box' is an object and has no 0"),
        ("tags.a == 1", 0, "'tags' is a list and has no 'a'"),
        ("ts > 'yesterday'", 5, "a date-time column is compared with a text: 'yesterday' is not a date-time"),
        ("'2024-13-01' == ts", 0, "is not a day of the calendar"),
        ("ts in ['2024-01-01', 'x']", 21, "'x' is not a date-time"),
        ("ts in [5]", 7, "'ts' is a text, this is a number"),
    ],
)
def test_these_do_not_fit_and_the_place_is_told(source: str, at: int, message: str) -> None:
    ((place, text),) = found(source)
    assert message in text
    assert place == at


def test_all_misfits_are_told_in_the_order_of_the_source() -> None:
    assert [at for at, _ in found("(symbol > 5) == (temp < 'x') && nope && !count")] == [8, 22, 32, 41]


def test_an_unknown_field_is_told_once() -> None:
    assert len(found("nope > 1 || nope < 0 || nope == 5")) == 1


def test_misfits_are_bounded() -> None:
    assert len(found(" || ".join(f"x{i}" for i in range(400)))) == MAX_MISFITS
    assert len(found(f"symbol in [{','.join(['7'] * 1_000)}]")) == MAX_MISFITS


def test_a_name_of_any_length_is_looked_up_in_bounded_time() -> None:
    columns = {"x" * 200 + str(i): ColumnType.STRING for i in range(400)}
    tree = parse(" || ".join(f"{'x' * 200}{i}y" for i in range(15)), Limits())
    assert len(misfits(tree, columns)) == 15


@pytest.mark.parametrize("source", ["ts > 'soon'", "ts in ['soon']", "symbol == 5", "nope == ts"])
def test_a_tree_with_its_instants_has_the_same_misfits(source: str) -> None:
    tree = parse(source, Limits())
    assert misfits(with_instants(tree, COLUMNS), COLUMNS) == misfits(tree, COLUMNS)


_VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.STRING: st.sampled_from(["", "a", "b", "ab"]),
    ColumnType.INTEGER: st.integers(-3, 3),
    ColumnType.NUMBER: st.sampled_from([-1.5, 0.0, 2.0]),
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.OBJECT: st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=2),
    ColumnType.ARRAY: st.lists(st.integers(), max_size=2),
}
_TYPES = st.fixed_dictionaries({name: st.sampled_from(list(_VALUES)) for name in FIELDS})


@settings(max_examples=300, deadline=None)
@given(TREES_OF_COLUMNS, _TYPES, st.data())
def test_what_fits_meets_no_unlike_types_in_a_record_without_nulls(
    tree: Any, columns: dict[str, ColumnType], data: st.DataObject
) -> None:
    if misfits(tree, columns):
        return
    record = {name: data.draw(_VALUES[type_]) for name, type_ in columns.items()}
    try:
        interpret(tree, record, PATTERNS)
    except EvaluationError as error:
        assert "null" in str(error) or ("has no meaning" not in str(error) and "stands" not in str(error))
