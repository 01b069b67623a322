"""Retry-After as seconds or a date, and whatever else a receiver may write there."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.retry_after import MAX_SECONDS, seconds_asked

NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)

DATE_LIKE = (
    r"([A-Z][a-z]{2}, )?[0-9]{1,6} (Jan|Dec|Foo) [0-9]{1,6} [0-9]{1,4}:[0-9]{1,12}( (GMT|[+-][0-9]{1,20}))?"
)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("9" * 5_000, MAX_SECONDS),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("0 JAN 0 0:3000000000", None),
    ],
)
def test_a_number_is_taken_as_seconds_up_to_a_day(header: str | None, seconds: float | None) -> None:
    assert seconds_asked(header, NOW.timestamp()) == seconds


@given(st.integers(-(10**6), 10**6))
def test_a_date_is_taken_as_the_seconds_until_then(ahead: int) -> None:
    header = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)
    assert seconds_asked(header, NOW.timestamp()) == min(max(ahead, 0), MAX_SECONDS)


@given(st.text(max_size=60) | st.from_regex(DATE_LIKE, fullmatch=True))
def test_nothing_a_receiver_writes_there_does_harm(header: str) -> None:
    seconds = seconds_asked(header, NOW.timestamp())
    assert seconds is None or 0 <= seconds <= MAX_SECONDS
