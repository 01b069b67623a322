from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.schema.dataset import ColumnType
from rules.schema.fit import Misfit, misfit
from rules.schema.infer import UNSEEN, infer, join, key_candidates, type_of

T = ColumnType
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["2026-11-21", "2026-11-21T12:00:00Z", [], {}])
)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, None], T.UNTYPED),
        ([None, "x"], T.STRING),
        ([1, 2], T.INTEGER),
        ([1, 2.5], T.NUMBER),
        ([2.0], T.NUMBER),
        ([2.5, 1], T.NUMBER),
        ([True], T.BOOLEAN),
        (["2026-11-21"], T.DATE),
        (["2026-11-21T12:00:00Z", None], T.DATETIME),
        (["2026-11-21", "2026-11-21T12:00:00Z"], T.STRING),
        (["2026-11-21", "x", "2026-11-21"], T.STRING),
        (["2026-11-21T12:00:00"], T.STRING),
        (["9999-12-31T00:00:00Z"], T.STRING),
        ([{}], T.OBJECT),
        ([[]], T.ARRAY),
        ([1, "x", 2.5], T.NUMBER),
        ([True, 1], T.BOOLEAN),
        (["x", 1], T.STRING),
        ([2**60, 1.5], T.INTEGER),
    ],
)
def test_the_values_of_a_batch_give_a_property_its_type(values: list[Any], kind: ColumnType) -> None:
    assert infer([{"a": value} for value in values]) == {"a": kind}


@given(st.lists(VALUES, max_size=6))
def test_every_value_that_joined_fits_the_type_it_led_to(values: list[Any]) -> None:
    seen, joined = UNSEEN, []
    for value in values:
        after = join("a", seen, value)
        if not isinstance(after, Misfit):
            seen = after
            joined.append(value)
    assert all(misfit("a", seen.type, value) is None for value in joined)


@given(st.permutations([1, 2.5, None, 7, -3.25]))
def test_numbers_join_in_any_order(values: list[Any]) -> None:
    assert infer([{"a": value} for value in values]) == {"a": T.NUMBER}


@given(VALUES)
def test_one_value_fits_the_type_it_asks_for(value: Any) -> None:
    assert misfit("a", type_of(value), value) is None


def test_names_that_are_not_allowed_and_members_that_are_no_objects_are_passed_over() -> None:
    assert infer([{"_id": "x", "a": 1, "": 2}, 5, None]) == {"a": T.INTEGER}


def test_key_candidates_are_columns_with_a_value_in_every_record_and_none_twice() -> None:
    records = [
        {"id": 1, "code": "a", "place": "x", "temp": 1.5, "ok": True, "maybe": 1},
        {"id": 2, "code": "b", "place": "x", "temp": 2.5, "ok": False, "maybe": None},
    ]
    assert key_candidates(records) == [["id"], ["code"]]


def test_pairs_are_named_where_no_single_column_will_do() -> None:
    records = [{"a": a, "b": b, "c": 1} for a in (1, 2) for b in ("x", "y")]
    assert key_candidates(records) == [["a", "b"]]


@pytest.mark.parametrize("records", [[], [{"a": 1}], [{"a": 1}, 5], [{"a": 1}, {"a": 1}], [{}, {}]])
def test_no_key_is_named_where_nothing_speaks_for_one(records: list[Any]) -> None:
    assert key_candidates(records) == []


def test_key_candidates_are_few_however_many_columns_there_are() -> None:
    records = [{f"c{n}": n * 1000 + row for n in range(300)} for row in range(5)]
    assert len(key_candidates(records)) == 10
