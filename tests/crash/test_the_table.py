"""The table of points covers the road: every two steps have one between them, and each can be found."""

from itertools import pairwise

import pytest

from tests.crash.point import Point, found
from tests.crash.table import BY_NAME, POINTS, ROADS


@pytest.mark.parametrize("road", ROADS)
def test_between_any_two_neighbouring_steps_of_a_road_there_is_a_point(road: str) -> None:
    gaps = set(pairwise(ROADS[road]))
    have = {point.gap for point in POINTS if point.road == road}
    assert have == gaps


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_what_a_point_stands_beside_is_in_the_product(point: Point) -> None:
    holder, name = found(point.target)
    assert callable(getattr(holder, name))


def test_no_two_points_have_one_name_and_those_that_need_another_name_one() -> None:
    assert len(BY_NAME) == len(POINTS)
    assert {point.needs for point in POINTS if point.needs is not None} <= BY_NAME.keys()
    assert {point.road for point in POINTS} == ROADS.keys()
