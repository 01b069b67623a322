"""Texts of cells as values: nothing is lost, and a column has the type that fits all of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.schema.cells import join_types, type_of_cells, values_of_cells
from rules.schema.dataset import ColumnType
from rules.schema.infer import UNSEEN, Inferred

CASES: list[tuple[list[str], ColumnType]] = [
    ([], ColumnType.UNTYPED),
    (["", ""], ColumnType.UNTYPED),
    (["1", "", "-20"], ColumnType.INTEGER),
    (["007"], ColumnType.STRING),
    (["+1"], ColumnType.STRING),
    (["1_000"], ColumnType.STRING),
    (["١"], ColumnType.STRING),
    ([" 1"], ColumnType.STRING),
    (["1\n2"], ColumnType.STRING),
    (["-0"], ColumnType.NUMBER),
    (["1", "2.5", "1e3"], ColumnType.NUMBER),
    (["1e999"], ColumnType.STRING),
    ([str(2**63 - 1)], ColumnType.INTEGER),
    ([str(2**63)], ColumnType.STRING),
    ([str(2**53 + 1), "1.5"], ColumnType.STRING),
    (["9" * 25, "1.5"], ColumnType.STRING),
    (["true", "FALSE", ""], ColumnType.BOOLEAN),
    (["2024-01-31", ""], ColumnType.DATE),
    (["2024-02-30"], ColumnType.STRING),
    (["2024-01-31T00:00:00Z"], ColumnType.DATETIME),
    (["2024-01-31", "2024-01-31T00:00:00Z"], ColumnType.STRING),
    (["1", "x"], ColumnType.STRING),
    (["NaN"], ColumnType.STRING),
]


@pytest.mark.parametrize(("cells", "kind"), CASES)
def test_a_column_of_texts_has_the_type_that_fits_all_of_it(cells: list[str], kind: ColumnType) -> None:
    assert type_of_cells(cells).type is kind


numbers = st.integers(-(2**66), 2**66).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
cells = st.lists(numbers | st.sampled_from(["", "true", "2024-01-01", "x", "007", "1e5"]), max_size=8)


@given(one=cells, other=cells)
def test_a_type_joined_over_blocks_takes_the_cells_of_both(one: list[str], other: list[str]) -> None:
    kind = join_types(type_of_cells(one), type_of_cells(other)).type
    for block in (one, other):
        for cell, value in zip(block, values_of_cells(block, kind), strict=True):
            if kind is ColumnType.STRING:
                assert value == cell
            elif not cell:
                assert value is None
            elif kind in (ColumnType.INTEGER, ColumnType.NUMBER):
                assert value == json.loads(cell)
                assert type(value) is (int if kind is ColumnType.INTEGER else float)


def test_an_untyped_column_takes_the_type_of_what_comes() -> None:
    seen = Inferred(ColumnType.DATE)
    assert join_types(UNSEEN, seen) == join_types(seen, UNSEEN) == seen


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        (ColumnType.STRING, "", ""),
        (ColumnType.STRING, "1", "1"),
        (ColumnType.INTEGER, "", None),
        (ColumnType.INTEGER, "1.5", 1.5),
        (ColumnType.INTEGER, "x", "x"),
        (ColumnType.UNSIGNED, "18446744073709551615", 2**64 - 1),
        (ColumnType.UNSIGNED, "1.5", "1.5"),
        (ColumnType.NUMBER, "2", 2.0),
        (ColumnType.NUMBER, "9007199254740993", 9007199254740993),
        (ColumnType.BOOLEAN, "1", True),
        (ColumnType.BOOLEAN, "False", False),
        (ColumnType.BOOLEAN, "yes", "yes"),
        (ColumnType.DATE, "", None),
        (ColumnType.DATE, "2024-01-01", "2024-01-01"),
        (ColumnType.OBJECT, '{"a":1}', {"a": 1}),
        (ColumnType.ARRAY, "[1", "[1"),
        (ColumnType.ANY, "1", "1"),
        (ColumnType.ANY, "", None),
    ],
)
def test_a_cell_means_what_its_column_takes(kind: ColumnType, cell: str, value: Any) -> None:
    (found,) = values_of_cells([cell], kind)
    assert found == value and type(found) is type(value)
