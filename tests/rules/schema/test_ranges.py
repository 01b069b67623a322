"""Ranges of time by name."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.schema.moments import MAX_MOMENT, MIN_MOMENT, format_moment, parse_moment
from rules.schema.ranges import day_of, read_range

SATURDAY = parse_moment("2026-11-21T19:45:00.5Z")
DAY = 86_400 * 10**9


@pytest.mark.parametrize(
    ("name", "first", "after"),
    [
        ("today", "2026-11-21", "2026-11-22"),
        ("Yesterday", "2026-11-20", "2026-11-21"),
        ("tomorrow", "2026-11-22", "2026-11-23"),
        ("ytd", "2026-01-01", "2026-11-22"),
        ("0d", "2026-11-21", "2026-11-22"),
        ("7d", "2026-11-14", "2026-11-22"),
        ("2w", "2026-11-07", "2026-11-22"),
        ("9M", "2026-02-21", "2026-11-22"),
        ("1q", "2026-08-21", "2026-11-22"),
        ("1y", "2025-11-21", "2026-11-22"),
        ("this-week", "2026-11-16", "2026-11-23"),
        ("last-week", "2026-11-09", "2026-11-16"),
        ("next-week", "2026-11-23", "2026-11-30"),
        ("last-month", "2026-10-01", "2026-11-01"),
        ("next-month", "2026-12-01", "2027-01-01"),
        ("this-quarter", "2026-10-01", "2027-01-01"),
        ("last-quarter", "2026-07-01", "2026-10-01"),
        ("last-year", "2025-01-01", "2026-01-01"),
        ("2020", "2020-01-01", "2021-01-01"),
        ("H12020", "2020-01-01", "2020-07-01"),
        ("h22020", "2020-07-01", "2021-01-01"),
        ("Q22020", "2020-04-01", "2020-07-01"),
        ("q42020", "2020-10-01", "2021-01-01"),
    ],
)
def test_a_name_stands_for_whole_days(name: str, first: str, after: str) -> None:
    assert read_range(name, SATURDAY) == (parse_moment(first), parse_moment(after))


def test_a_month_that_is_shorter_ends_sooner() -> None:
    assert read_range("1m", parse_moment("2024-03-31"))[0] == parse_moment("2024-02-29")
    assert read_range("1m", parse_moment("2023-03-31"))[0] == parse_moment("2023-02-28")


@pytest.mark.parametrize(
    "name", ["", "now", "d", "-1d", "7 d", "١d", "999999d", "last-day", "Q52020", "H32020", "20200", "5h"]
)
def test_what_is_no_name_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match="ytd"):
        read_range(name, SATURDAY)


@pytest.mark.parametrize("name", ["9999y", "99999q", "1600", "0000", "9999", "2262", "400y"])
def test_what_lies_outside_the_range_that_is_kept_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="reaches"):
        read_range(name, SATURDAY)


def test_a_day_is_a_day() -> None:
    assert day_of("2024-02-29") == (parse_moment("2024-02-29"), parse_moment("2024-03-01"))
    for wrong in ("2023-02-29", "20240101", "2024-01-01T00:00:00Z", "1600-01-01", "2262-04-11"):
        with pytest.raises(ValueError):
            day_of(wrong)


@given(
    now=st.integers(parse_moment("1700-01-01"), parse_moment("2200-01-01")),
    count=st.integers(0, 20),
    unit=st.sampled_from("dwmqy"),
)
def test_what_counts_back_ends_with_today_and_reaches_further_with_each_unit(
    now: int, count: int, unit: str
) -> None:
    begin, end = read_range(f"{count}{unit}", now)
    assert MIN_MOMENT <= begin < end <= MAX_MOMENT
    assert end == now // DAY * DAY + DAY
    assert (begin % DAY, end % DAY) == (0, 0)
    assert read_range(f"{count + 1}{unit}", now)[0] < begin


@given(
    now=st.integers(parse_moment("1700-01-01"), parse_moment("2200-01-01")),
    unit=st.sampled_from(["week", "month", "quarter", "year"]),
)
def test_the_last_this_and_the_next_join_without_a_gap(now: int, unit: str) -> None:
    last, this, following = (read_range(f"{which}-{unit}", now) for which in ("last", "this", "next"))
    assert last[1] == this[0] <= now < this[1] == following[0]
    assert date.fromisoformat(format_moment(this[0])[:10]).day == 1 or unit == "week"
