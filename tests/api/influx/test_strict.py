"""Where a bad line ends, and what is said of it."""

from typing import Any, Final, SupportsIndex

import pytest

from api.influx.recognise import recognise
from api.influx.skeletons import Skeletons, head_of
from api.influx.strict import read_line
from rules.limits import Limits


def read(text: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return a body's points as (line, measurement) and its refusals as (line, sentence); lines from 0."""
    found = recognise(text.encode(), 1, 0, Skeletons(), Limits())
    points = [(line, block.shape.measurement) for block in found.blocks for line in block.lines]
    return sorted(points), [(refusal.index, refusal.message) for refusal in found.refusals.first]


def test_a_quote_that_is_not_closed_costs_its_own_line_only() -> None:
    points, bad = read('a v=1\nb s="open\nc v=1')
    assert (points, [line for line, _ in bad]) == ([(0, "a"), (2, "c")], [1])
    points, bad = read('a v=1\nb s="open\nc s="closed"\nd v=1')
    assert (points, [line for line, _ in bad]) == ([(0, "a"), (2, "c"), (3, "d")], [1])


def test_two_quotes_that_are_not_closed_do_not_close_each_other() -> None:
    points, bad = read('a,t= s="x\nb v=1\nc,t= s="y\nd v=1')
    assert (points, [line for line, _ in bad]) == ([(1, "b"), (3, "d")], [0, 2])


def test_lines_within_the_text_of_a_bad_line_are_no_points() -> None:
    points, bad = read('a,t= s="x\nevil v=1\n"\nb v=1')
    assert (points, [line for line, _ in bad]) == ([(3, "b")], [0])


def test_lines_within_the_text_of_a_good_line_are_no_points() -> None:
    points, bad = read('b v=1\nb v=2\nb v=3\na s="x\nb v=4\n"\nb v=5')
    assert points == [(0, "b"), (1, "b"), (2, "b"), (3, "a"), (6, "b")]
    assert not bad


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("m", "fields are missing (column 2)"),
        ("m ", "fields are missing (column 3)"),
        (",t=a v=1", "a measurement is missing (column 1)"),
        ("m,t v=1", "the tag 't' has no value: '=' is missing (column 4)"),
        ("m,t= v=1", "the tag 't' has no value (column 5)"),
        ("m,t=a=b v=1", "the value of the tag 't' holds '='; write it '\\=' (column 6)"),
        ("m,t=a,t=b v=1", "the tag 't' is given twice (column 10)"),
        ("m v=", "the field 'v' has no value (column 5)"),
        ("m v=1i2", "the value '1i2' is no number, no boolean and no quoted text (column 5)"),
        ("m v=nan", "the value 'nan' is no number, no boolean and no quoted text (column 5)"),
        ("m v=1e400", "the number '1e400' is larger than a double can hold (column 5)"),
        (
            "m v=9223372036854775808i",
            "the integer '9223372036854775808i' is outside -2^63 to 2^63-1 (column 5)",
        ),
        ('m v="a"b', "something follows the closing quote of 'v' (column 8)"),
        ("m v=1 now", "the timestamp is no whole number (column 7)"),
        ("m v=1 1 2", "something follows the timestamp (column 8)"),
        ("m\tv=1", "'\\t' stands where a tag or a space is expected (column 2)"),
    ],
)
def test_what_is_wrong_is_said_with_the_column(line: str, said: str) -> None:
    assert read(f"a v=1\n{line}\nb v=1") == ([(0, "a"), (2, "b")], [(1, said)])


class Watched(str):
    """A text that counts the characters which searches in it go over."""

    looked_at = 0

    def find(self, sub: str, start: Any = None, end: Any = None) -> int:
        begin, until = start or 0, len(self) if end is None else end
        found = super().find(sub, begin, until)
        self.looked_at += (until if found < 0 else found + len(sub)) - begin
        return found

    def __contains__(self, sub: Any) -> bool:
        return self.find(sub) >= 0

    def count(self, sub: str, start: SupportsIndex | None = None, end: SupportsIndex | None = None) -> int:
        begin, until = int(start or 0), len(self) if end is None else int(end)
        self.looked_at += until - begin
        return super().count(sub, begin, until)


ODD_LINES: Final = ("a\\ b f=1 1\n", 'a,t\\ t=1 f=1,g="x" 1\n', 'a f="x\ny" 1\n', "a f=1 1\n")


@pytest.mark.parametrize("behind", ["", 'z f="x"\n'])
@pytest.mark.parametrize("line", ODD_LINES)
def test_a_line_that_is_read_strictly_is_all_that_is_looked_at(line: str, behind: str) -> None:
    def looked_at(lines: int) -> int:
        text = Watched(line * lines + behind)
        at = 0
        while at < len(text):
            _, at = read_line(text, at, 1)
        return text.looked_at

    assert looked_at(2_000) <= 2 * looked_at(1_000) <= 2 * 1_001 * len(line)


@pytest.mark.parametrize("measurement", ["a\\ b", "a\\,b", "a\\ b\\,c\\ d"])
def test_a_measurement_with_an_escape_gets_a_pattern(measurement: str) -> None:
    known = Skeletons()
    body = "".join(f"{measurement},t=x f={number} {number}\n" for number in range(3))
    found = recognise(body.encode(), 1, 0, known, Limits())
    (skeleton,) = known.of(head_of(body))
    assert skeleton.pattern.findall(body) == [("x", str(number), str(number)) for number in range(3)]
    assert {block.shape.measurement for block in found.blocks} == {measurement.replace("\\", "")}
