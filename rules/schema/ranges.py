"""Ranges of time by name: `today`, `7d`, `last-week`, `ytd`, `Q22020`.

The words are Apperate's (its `/data` parameters, `range` and `on`); where its pages are silent the meaning is
ours: days are those of UTC, weeks begin on Monday, and what counts back from today ends with today.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, Literal

from rules.schema.moments import MAX_MOMENT, MIN_MOMENT, parse_date

Unit = Literal["day", "week", "month", "quarter", "year"]

NAMED: Final = "today, yesterday, tomorrow, ytd, last-week, this-month, next-year, 7d, 2w, 6m, 1q, 5y, Q12026"

_DAY: Final = 86_400 * 10**9
_EPOCH: Final = date(1970, 1, 1)
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_BACK: Final = re.compile(r"([0-9]{1,5})([dwmqy])")
_LETTERS: Final[dict[str, Unit]] = {"d": "day", "w": "week", "m": "month", "q": "quarter", "y": "year"}
_ABOUT: Final = re.compile(r"(last|this|next)-(week|month|quarter|year)")
_PLACES: Final = {"last": -1, "this": 0, "next": 1}
_CALENDAR: Final = re.compile(r"(?:(Q[1-4])|(H[12]))?([0-9]{4})")


def read_range(text: str, now: int) -> tuple[int, int]:
    """Return the half-open range in ns since 1970 that a name stands for at `now` (ns).

    `today`, `yesterday` and `tomorrow` are days; `last-week`, `this-month`, `next-quarter`, `last-year` and
    the like are whole ones of the calendar; `7d`, `2w`, `6m`, `1q` and `5y` begin at midnight so many units
    before today and end with today; `ytd` is this year up to today's end; `2020`, `H12020` and `Q22020` are
    a year, a half of one and a quarter. Letters match without case.

    Raises: ValueError, with a sentence for the caller.
    """
    try:
        first, after = _days(text.lower(), _EPOCH + timedelta(now // _DAY))
    except OverflowError:
        raise ValueError(f"{text[:40]!r} reaches beyond the years of the calendar.") from None
    begin, end = _moment(first), _moment(after)
    if begin < MIN_MOMENT or end - 1 > MAX_MOMENT:
        raise ValueError(f"{text[:40]!r} reaches outside 1677-09-21 to 2262-04-11.")
    return begin, end


def day_of(text: str) -> tuple[int, int]:
    """Return a day, written YYYY-MM-DD, as a half-open range in ns since 1970.

    Raises: ValueError, with a sentence for the caller.
    """
    begin = _moment(date.fromisoformat(parse_date(text)))
    if begin < MIN_MOMENT or begin + _DAY - 1 > MAX_MOMENT:
        raise ValueError(f"{text!r} is outside 1677-09-21 to 2262-04-11.")
    return begin, begin + _DAY


def _days(text: str, today: date) -> tuple[date, date]:
    """Return the first day of a range and the day after its last."""
    if text in _BY_WORD:
        return _BY_WORD[text](today)
    if match := _BACK.fullmatch(text):
        return _shifted(today, _LETTERS[match[2]], -int(match[1])), today + timedelta(1)
    if match := _ABOUT.fullmatch(text):
        return _whole(today, match[2], _PLACES[match[1]])
    if match := _CALENDAR.fullmatch(text.upper()):
        return _of_year(int(match[3]), match[1], match[2])
    raise ValueError(f"{text[:40]!r} is no range; there are {NAMED}, H12026 and 2026.")


def _day(days: int) -> Callable[[date], tuple[date, date]]:
    return lambda today: (today + timedelta(days), today + timedelta(days + 1))


_BY_WORD: Final[dict[str, Callable[[date], tuple[date, date]]]] = {
    "today": _day(0),
    "yesterday": _day(-1),
    "tomorrow": _day(1),
    "ytd": lambda today: (today.replace(month=1, day=1), today + timedelta(1)),
}


def _whole(today: date, unit: str, place: int) -> tuple[date, date]:
    """Return the week, month, quarter or year that lies `place` of them away from today's."""
    if unit == "week":
        first = today + timedelta(7 * place - today.weekday())
        return first, first + timedelta(7)
    size = _MONTHS[unit]
    first = _first_of_month(today.year, (today.month - 1) // size * size)
    return _months_on(first, place * size), _months_on(first, (place + 1) * size)


def _of_year(year: int, quarter: str | None, half: str | None) -> tuple[date, date]:
    size = 3 if quarter else 6 if half else 12
    first = _first_of_month(year, size * (int((quarter or half or "Q1")[1]) - 1))
    return first, _months_on(first, size)


def _shifted(day: date, unit: Unit, by: int) -> date:
    if unit in ("day", "week"):
        return day + timedelta(by * (7 if unit == "week" else 1))
    return _months_on(day, by * _MONTHS[unit])


def _months_on(day: date, months: int) -> date:
    """Return the same day of another month, or that month's last where it has fewer."""
    first = _first_of_month(day.year, day.month - 1 + months)
    following = _first_of_month(day.year, day.month + months)
    return first + timedelta(min(day.day, (following - first).days) - 1)


def _first_of_month(year: int, months: int) -> date:
    """Return the first day of the month that begins so many months after January of `year`."""
    year, month = year + months // 12, months % 12 + 1
    if not date.min.year <= year <= date.max.year:
        raise OverflowError(year)
    return date(year, month, 1)


def _moment(day: date) -> int:
    return (day - _EPOCH).days * _DAY
