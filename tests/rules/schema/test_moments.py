from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whenever import Instant, OffsetDateTime

from rules.schema.moments import (
    MAX_DURATION,
    MAX_MOMENT,
    MIN_MOMENT,
    format_moment,
    looks_like_date,
    looks_like_moment,
    parse_date,
    parse_duration,
    parse_moment,
    parse_time,
)

MOMENTS = st.integers(MIN_MOMENT, MAX_MOMENT)
NOON = 1_795_262_400 * 10**9


@given(MOMENTS)
def test_formatting_and_parsing_are_inverse(moment: int) -> None:
    assert parse_moment(format_moment(moment)) == moment


@given(MOMENTS)
def test_a_formatted_moment_is_in_utc_and_has_no_zeros_at_its_end(moment: int) -> None:
    text = format_moment(moment)
    assert text.endswith("Z")
    if "." in text:
        assert text[-2] != "0"
        assert len(text) <= 30
    else:
        assert len(text) == 20


@given(MOMENTS.map(lambda ns: ns - ns % 10**9), st.integers(-1439, 1439), st.sampled_from("Tt "))
def test_an_offset_is_read_as_whenever_reads_it(moment: int, minutes: int, separator: str) -> None:
    sign = "-" if minutes < 0 else "+"
    text = format_moment(moment if moment >= MIN_MOMENT else moment + 10**9)[:-1].replace("T", separator)
    text += f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    expected = OffsetDateTime.parse_iso(text).timestamp(unit="nanosecond")
    if MIN_MOMENT <= expected <= MAX_MOMENT:
        assert parse_moment(text) == expected
    else:
        with pytest.raises(ValueError, match="outside 1677"):
            parse_moment(text)


@given(st.text(alphabet="0123456789-:TtZz+. \n٣", max_size=40))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        moment = parse_moment(text)
    except ValueError as error:
        assert str(error).endswith(".")
    else:
        assert moment == parse_moment(format_moment(moment))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T12:00:00Z", NOON),
        ("2026-11-21t12:00:00z", NOON),
        ("2026-11-21 12:00:00Z", NOON),
        ("2026-11-21T13:30:00+01:30", NOON),
        ("2026-11-21T12:00:00-00:00", NOON),
        ("2026-11-21T12:00:00.5Z", NOON + 5 * 10**8),
        ("2026-11-21T12:00:00.000000001Z", NOON + 1),
        ("2026-11-21", NOON - 12 * 3600 * 10**9),
        ("1677-09-21T00:12:43.145224192Z", MIN_MOMENT),
        ("2262-04-11T23:47:16.854775807Z", MAX_MOMENT),
    ],
)
def test_the_shapes_of_rfc_3339_and_dates_are_read(text: str, moment: int) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2016-12-31T23:59:60Z", "leap second"),
        ("2026-11-21T12:00:00.0000000001Z", "nine decimals"),
        ("2026-11-21T12:00:00", "offset"),
        ("2026-11-21T12:00Z", "not a date-time"),
        ("20261121T120000Z", "not a date-time"),
        ("2026-11-21T12:00:00,5Z", "not a date-time"),
        ("2026-11-21T12:00:00+01", "not a date-time"),
        ("2026-11-21T12:00:00Z\n", "not a date-time"),
        ("2026-11-21T24:00:00Z", "real"),
        ("2026-02-29T12:00:00Z", "real"),
        ("2026-11-21T12:00:00+24:00", "real"),
        ("2026-02-29", "calendar"),
        ("1677-09-21T00:12:43.145224191Z", "1677-09-21 to 2262-04-11"),
        ("2262-04-11T23:47:16.854775808Z", "1677-09-21 to 2262-04-11"),
        ("9999-12-31", "1677-09-21 to 2262-04-11"),
        ("", "not a date-time"),
        ("x" * 500, "…"),
    ],
)
def test_what_is_no_moment_is_refused_with_the_reason(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        parse_moment(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("moment", [MIN_MOMENT - 1, MAX_MOMENT + 1])
def test_a_moment_outside_64_bits_is_not_formatted(moment: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        format_moment(moment)


@given(st.dates())
def test_every_day_of_the_calendar_is_a_date(day: date) -> None:
    assert parse_date(day.isoformat()) == day.isoformat()
    assert looks_like_date(day.isoformat())
    assert not looks_like_moment(day.isoformat())


@pytest.mark.parametrize(
    "text", ["2026-13-01", "2026-02-30", "2026-W01-1", "20260101", "2026-1-1", "٢٠٢٦-01-01"]
)
def test_what_is_no_day_of_the_calendar_is_no_date(text: str) -> None:
    assert not looks_like_date(text)
    with pytest.raises(ValueError, match=r"date|calendar"):
        parse_date(text)


@given(st.integers(0, 3_000_000_000), st.sampled_from([("ms", 10**6), ("s", 10**9), ("m", 60 * 10**9)]))
def test_a_duration_is_its_number_times_its_unit(count: int, unit: tuple[str, int]) -> None:
    word, size = unit
    if count * size <= MAX_DURATION:
        assert parse_duration(f"{count}{word}") == count * size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5m", 300), ("2h", 7200), ("7d", 604_800), ("36525d", 36_525 * 86_400)],
)
def test_durations_are_read_as_the_contract_writes_them(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds * 10**9


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5m", "1.5h", "5w", "5M", "36526d", "9" * 30 + "s", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


@given(MOMENTS)
def test_a_time_is_rfc_3339_or_milliseconds(moment: int) -> None:
    assert parse_time(format_moment(moment)) == moment
    milliseconds = abs(moment) // 10**6
    assert parse_time(str(milliseconds)) == milliseconds * 10**6
    assert parse_time(str(-milliseconds)) == -milliseconds * 10**6


def test_a_plus_that_arrived_as_a_space_is_understood() -> None:
    assert parse_time("2026-11-21T13:00:00 01:00") == NOON


@pytest.mark.parametrize(
    "text", ["yesterday", "999999999999999", "2026-11-21 12:00", "1e3", "12345678901234567"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"milliseconds|Milliseconds"):
        parse_time(text)


@given(MOMENTS)
def test_what_is_formatted_looks_like_a_moment(moment: int) -> None:
    assert looks_like_moment(format_moment(moment))
    assert not looks_like_date(format_moment(moment))


@given(st.text(max_size=40))
def test_only_what_can_be_parsed_looks_like_a_moment(text: str) -> None:
    if looks_like_moment(text):
        parse_moment(text)
    if looks_like_date(text):
        parse_date(text)


def test_whenever_agrees_on_the_ends_of_the_range() -> None:
    for moment in (MIN_MOMENT, -1, 0, 1, MAX_MOMENT):
        assert format_moment(moment) == Instant.from_timestamp(moment, unit="nanosecond").format_iso()
