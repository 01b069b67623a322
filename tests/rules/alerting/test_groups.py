from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rules.alerting.access import Above, Access
from rules.alerting.groups import Lone, group, label

doubles = st.sampled_from([-3.0, -1.5, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 2.0**53])
values = (
    doubles
    | st.integers(-3, 3)
    | st.sampled_from([2**53, 2**53 + 1])
    | st.sampled_from([None, True, "1", [1]])
)
shapes = st.tuples(st.sampled_from([1, -1]), st.booleans())


def above(field: str, sign: int, inclusive: bool, bound: float) -> Above:
    return Above(field, sign, inclusive, sign * bound)


def passes(predicate: Above | None, value: Any, bound: float) -> bool:
    if predicate is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if predicate.inclusive and value == bound:
        return True
    return value > bound if predicate.sign > 0 else value < bound


@given(
    shapes,
    st.none() | shapes,
    st.lists(st.tuples(doubles, doubles), max_size=12),
    st.lists(st.tuples(values, values), max_size=6),
    st.data(),
)
def test_a_value_finds_exactly_the_thresholds_it_passes_before_and_after_removals(
    first: tuple[int, bool],
    second: tuple[int, bool] | None,
    bounds: list[tuple[float, float]],
    records: list[tuple[Any, Any]],
    data: st.DataObject,
) -> None:
    ways = [
        Access(None, above("a", *first, one), above("b", *second, other) if second else None, whole=True)
        for one, other in bounds
    ]
    held: Any = group(label(ways[0], sure=True)) if ways else None
    for serial, way in enumerate(ways):
        held.insert(way, serial, serial)
    left = list(range(len(ways)))
    while left:
        for a, b in records:
            found: list[int] = []
            held.find({"a": a, "b": b}, found, [])
            assert sorted(found) == [
                serial
                for serial in left
                if passes(ways[serial].first, a, bounds[serial][0])
                and passes(ways[serial].second, b, bounds[serial][1])
            ]
        gone = data.draw(st.sampled_from(left))
        held.remove(ways[gone], gone)
        left.remove(gone)
        assert len(held) == len(left)


def test_holders_without_a_threshold_are_all_found_until_they_go() -> None:
    way = Access(None, None, None, whole=False)
    everyone: Any = group(label(way, sure=False))
    everyone.insert(way, 0, "x")
    everyone.insert(way, 1, "y")
    sure: list[str] = []
    unsure: list[str] = []
    everyone.find({}, sure, unsure)
    assert (sure, unsure) == ([], ["x", "y"])
    everyone.remove(way, 0)
    assert len(everyone) == 1


@given(st.none() | shapes, st.none() | shapes, st.tuples(doubles, doubles), values, values, st.booleans())
def test_a_lone_holder_is_found_by_what_would_find_it_in_its_group(
    first: tuple[int, bool] | None,
    second: tuple[int, bool] | None,
    bounds: tuple[float, float],
    a: Any,
    b: Any,
    sure: bool,
) -> None:
    one = above("a", *first, bounds[0]) if first else None
    other = above("b", *second, bounds[1]) if first and second else None
    way = Access(None, one, other, whole=sure)
    grouped: Any = group(label(way, sure=sure))
    grouped.insert(way, 0, "it")
    lone = Lone(label(way, sure=sure), way, 0, "it")
    for_sure: tuple[list[str], list[str]] = ([], [])
    perhaps: tuple[list[str], list[str]] = ([], [])
    lone.find({"a": a, "b": b}, for_sure[0], perhaps[0])
    grouped.find({"a": a, "b": b}, for_sure[1], perhaps[1])
    assert for_sure[0] == for_sure[1]
    assert perhaps[0] == perhaps[1]
    assert bool((for_sure if sure else perhaps)[0]) == (
        passes(one, a, bounds[0]) and passes(other, b, bounds[1])
    )
