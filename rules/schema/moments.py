"""Dates, date-times and durations: text to integers and back, without losing a nanosecond.

An instant is an integer: nanoseconds since 1970-01-01T00:00:00Z, in signed 64 bits, which reach from
1677-09-21 to 2262-04-11. The grammar is RFC 3339's, with a space or a lower-case `t` and `z` as its
notes allow, and a date alone as its midnight in UTC.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final

from whenever import Instant

MIN_MOMENT: Final = -(2**63)
MAX_MOMENT: Final = 2**63 - 1
CACHED: Final = 16_384
"""Moments remembered: more than a batch of records has; about 3 MB."""

MAX_DURATION: Final = 36_525 * 86_400 * 10**9
"""100 years of 365.25 days, in nanoseconds."""

_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH_MS = re.compile(r"-?[0-9]{1,15}")
_DURATION = re.compile(r"([0-9]{1,19})(ms|s|m|h|d)")
_LEAP = re.compile(r"[0-9-]{10}[Tt ][0-9]{2}:[0-9]{2}:60")
_LONG_FRACTION = re.compile(r"[0-9-]{10}[Tt ][0-9:]{8}\.[0-9]{10,}")
_STAMP_CHARS: Final = 30
_UNITS: Final = {
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}


@lru_cache(maxsize=CACHED)
def parse_moment(text: str) -> int:
    """Return the instant that an RFC 3339 date-time, or the midnight in UTC of a date, stands for.

    Nanoseconds since 1970. `Z` or an offset must be given; up to nine decimals. What was read lately is
    remembered, for a record's moment is read once to give it its stored form and once for its row.

    Raises: ValueError, with a sentence for the caller.
    """
    if _MOMENT.fullmatch(text):
        try:
            moment = _instant(text)
        except ValueError:
            raise ValueError(f"{_shown(text)} is not a real date, time of day and offset.") from None
    elif _DATE.fullmatch(text):
        moment = (_real_date(text).toordinal() - _EPOCH_DAY) * _UNITS["d"]
    else:
        raise ValueError(_why_no_moment(text))
    if MIN_MOMENT <= moment <= MAX_MOMENT:
        return moment
    raise ValueError(f"{_shown(text)} is outside 1677-09-21 to 2262-04-11, the range that is kept exactly.")


def format_moment(moment: int) -> str:
    """Return an instant as RFC 3339 in UTC: `Z`, a fraction only where needed, no zeros at its end.

    The inverse of `parse_moment`. Raises: ValueError outside signed 64 bits.
    """
    if not MIN_MOMENT <= moment <= MAX_MOMENT:
        raise ValueError(f"{moment} nanoseconds since 1970 are outside signed 64 bits.")
    return Instant.from_timestamp(moment, unit="nanosecond").format_iso()


@lru_cache(maxsize=CACHED)
def normal_moment(text: str) -> str:
    """Return a date-time as `format_moment` writes the instant it stands for.

    Raises: ValueError, with a sentence for the caller.
    """
    return format_moment(parse_moment(text))


def normal_stamp(text: str) -> str:
    """Return a date-time as `format_stamp` writes the instant it stands for.

    Raises: ValueError, with a sentence for the caller.
    """
    moment = parse_moment(text)
    written_so = len(text) == _STAMP_CHARS and text[10] == "T" and text[29] == "Z"
    return text if written_so else format_stamp(moment)


def format_stamp(moment: int) -> str:
    """Return an instant as RFC 3339 in UTC with nine decimals, as InfluxDB's users know it.

    `parse_moment` reads it. Raises: ValueError outside signed 64 bits.
    """
    if not MIN_MOMENT <= moment <= MAX_MOMENT:
        raise ValueError(f"{moment} nanoseconds since 1970 are outside signed 64 bits.")
    second, nanoseconds = divmod(moment, _UNITS["s"])
    return f"{_clock(second)}.{nanoseconds:09d}Z"


def parse_date(text: str) -> str:
    """Return `text` if it is a real date of the calendar written YYYY-MM-DD.

    Raises: ValueError, with a sentence for the caller.
    """
    if not _DATE.fullmatch(text):
        raise ValueError(f"{_shown(text)} is not a date; write it like 2026-11-21.")
    _real_date(text)
    return text


def parse_duration(text: str) -> int:
    """Return a duration such as `250ms`, `60s`, `5m`, `2h` or `7d` in nanoseconds, 0 to 100 years.

    Raises: ValueError, with a sentence for the caller.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is not a duration; write a whole number and ms, s, m, h or d: 60s.")
    duration = int(match[1]) * _UNITS[match[2]]
    if duration > MAX_DURATION:
        raise ValueError(f"{_shown(text)} is longer than 100 years.")
    return duration


def parse_time(text: str) -> int:
    """Return the instant a query parameter names: RFC 3339, a date, or milliseconds since 1970.

    Nanoseconds since 1970. A `+` that was sent unescaped, and so arrives as a space, is understood.

    Raises: ValueError, with a sentence for the caller.
    """
    if _EPOCH_MS.fullmatch(text):
        moment = int(text) * _UNITS["ms"]
        if MIN_MOMENT <= moment <= MAX_MOMENT:
            return moment
        raise ValueError(f"{text} milliseconds since 1970 are outside 1677-09-21 to 2262-04-11.")
    if text[-6:-5] == " ":
        text = f"{text[:-6]}+{text[-5:]}"
    try:
        return parse_moment(text)
    except ValueError as error:
        raise ValueError(f"{error} Milliseconds since 1970 are taken too.") from None


def looks_like_moment(text: str) -> bool:
    """Return whether `text` is a date-time (not a date alone) that `parse_moment` reads.

    It is asked of every text that is inferred, so it looks at the length and two characters first.
    """
    if not 20 <= len(text) <= 35 or text[4] != "-" or text[13] != ":":
        return False
    try:
        parse_moment(text)
    except ValueError:
        return False
    return True


def looks_like_date(text: str) -> bool:
    """Return whether `text` is a date that `parse_date` reads."""
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        return False
    try:
        parse_date(text)
    except ValueError:
        return False
    return True


def _instant(text: str) -> int:
    if len(text) == _STAMP_CHARS and text[29] == "Z":
        return _second(text[:19]) + int(text[20:29])
    return Instant.parse_iso(text).timestamp(unit="nanosecond")


@lru_cache(maxsize=65_536)
def _second(text: str) -> int:
    """Return the instant of a whole second: of the stamps of one batch many lie in the same."""
    return Instant.parse_iso(f"{text}Z").timestamp() * _UNITS["s"]


@lru_cache(maxsize=65_536)
def _clock(second: int) -> str:
    return Instant.from_timestamp(second).format_iso()[:19]


_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def _real_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is not a day of the calendar.") from None


def _why_no_moment(text: str) -> str:
    if _LEAP.match(text):
        return f"{_shown(text)} is a leap second, which is not kept; send second 59 or the next minute."
    if _LONG_FRACTION.match(text):
        return f"{_shown(text)} has more than nine decimals; cut it to nanoseconds."
    return (
        f"{_shown(text)} is not a date-time with an offset, nor a date; write it like "
        "2026-11-21T13:05:00.25Z or 2026-11-21."
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
