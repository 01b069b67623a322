"""Sizes and durations are read as they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.units import BYTES, TIME, read_duration, read_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MB", 64 * 2**20),
        ("512KB", 512 * 2**10),
        ("1GB", 2**30),
        ("2tb", 2 * 2**40),
        ("10 mb", 10 * 2**20),
        ("4096", 4096),
        ("7B", 7),
        (4096, 4096),
        ("0", 0),
    ],
)
def test_a_size_is_read_in_units_of_1024(text: object, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "1.5MB", "-1", "64MiB", "1e6", "1_000", True, None, "9" * 19, "٣MB"]
)
def test_what_is_no_size_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match="64MB"):
        read_size(text)


@pytest.mark.parametrize("text", ["20", "1.5s", "-1s", "soon"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        read_duration(text)


@given(st.integers(0, 10**18 - 1))
def test_a_size_that_is_shown_reads_back(size: int) -> None:
    assert read_size(BYTES.show(size)) == size


@given(st.integers(0, 10**12).map(lambda ms: ms * 10**6))
def test_a_duration_that_is_shown_reads_back(duration: int) -> None:
    assert read_duration(TIME.show(duration)) == duration


def test_the_largest_word_that_loses_nothing_is_shown() -> None:
    assert [BYTES.show(n) for n in (0, 1, 1024, 1536, 2**30)] == ["0B", "1B", "1KB", "1536B", "1GB"]
    assert [TIME.show(n * 10**6) for n in (0, 2, 90_000, 604_800_000)] == ["0ms", "2ms", "90s", "7d"]
