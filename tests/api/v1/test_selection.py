"""What a path and a range select."""

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from api.entry.params import Params
from api.v1.selection import SELECTIONS, Span, address_of, select_in, span_of
from rules.errors import Problem
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from rules.schema.moments import MAX_MOMENT, format_moment, parse_moment

DAY = 86_400 * 10**9
NONE = Span(None, None)


def dataset(
    key: object = "s", subkey: str | None = None, date: str | None = None, form: str = "date"
) -> Dataset:
    properties = {
        "s": {"type": "string"},
        "n": {"type": "integer"},
        "d": {"type": "string", "format": form},
    }
    mapping = {"key": key, "subkey": subkey, "date": date}
    body = {
        "datasetId": "q",
        "schema": {"type": "object", "properties": properties},
        "columnMapping": mapping,
    }
    return declare("acme", body, 1)


def request(path: bytes) -> Request:
    return Request({"type": "http", "raw_path": path, "path": "", "headers": [], "query_string": b""})


def test_a_slash_in_a_key_is_part_of_it() -> None:
    address = address_of(request(b"/v1/data/acme/q/a%2Fb/c%20d"))
    assert address[:4] == ("acme", ("q",), (("a/b", "c d"),), False)


def test_commas_stand_between_datasets_and_keys_and_one_of_a_name_is_2c() -> None:
    address = address_of(request(b"/v1/data/acme/q,r/a%2Cb,c,a%2Cb/d,e"))
    assert address[:4] == ("acme", ("q", "r"), (("a,b", "d,e"), ("c", "d,e")), True)


def test_a_path_names_two_thousand_at_the_most() -> None:
    keys = b",".join(b"%d" % number for number in range(SELECTIONS // 2))
    assert len(address_of(request(b"/v1/data/acme/q,r/" + keys)).keys) == SELECTIONS // 2
    with pytest.raises(Problem, match="2000"):
        address_of(request(b"/v1/data/acme/q,r/x," + keys))


@pytest.mark.parametrize("path", [b"/v1/data/acme", b"/v1/data/acme/q/1/2/3", b"/v1/data/acme%2Fq"])
def test_a_path_of_another_length_leads_nowhere(path: bytes) -> None:
    with pytest.raises(Problem) as refused:
        address_of(request(path))
    assert refused.value.code.status == 404


@pytest.mark.parametrize(
    "path",
    [
        *(b"/v1/data/acme/q/", b"/v1/data/acme/q/k/", b"/v1/data/acme/q/%ff", b"/v1/data/a/q/\xff"),
        *(b"/v1/data/acme/q,", b"/v1/data/acme/q/a,,b", b"/v1/data/acme/,q/a"),
    ],
)
def test_an_empty_key_and_what_is_no_utf8_are_refused(path: bytes) -> None:
    with pytest.raises(Problem) as refused:
        address_of(request(path))
    assert refused.value.code.status == 400


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_reaches_the_key_through_the_path(text: str) -> None:
    from urllib.parse import quote

    address = address_of(request(b"/v1/data/acme/q/" + quote(text, safe="").encode()))
    assert address.keys == ((text,),)


def test_key_and_subkey_become_values_of_their_columns() -> None:
    assert select_in(dataset("s", "n", "d"), (("A", "7"),), NONE).keys == [["A", 7]]
    assert select_in(dataset("s", "n", "d"), (("A",), ("B",)), NONE).keys == [["A"], ["B"]]


@pytest.mark.parametrize(
    ("of", "keys", "words"),
    [
        (dataset(None), ("A",), "has no key"),
        (dataset(["s", "n"]), ("A",), "where=s == … && n == …"),
        (dataset("s"), ("A", "7"), "no subkey"),
        (dataset("s", None, "d"), ("A", "2024-01-31"), "no subkey"),
        (dataset("n"), ("seven",), "'seven' is no integer"),
        (dataset("n"), ("9" * 30,), "integer"),
        (dataset("n"), ("9" * 5000,), "integer"),
    ],
)
def test_a_key_that_can_t_be_meant_is_refused_by_name(of: Dataset, keys: tuple[str, ...], words: str) -> None:
    with pytest.raises(Problem, match=words) as refused:
        select_in(of, (keys,), NONE)
    assert refused.value.code.name == "bad_parameter"


def test_both_ends_belong_to_the_range() -> None:
    start = parse_moment("2024-01-31T00:00:00Z")
    chosen = select_in(dataset(), (), Span("2024-01-31T00:00:00Z", "2024-01-31T12:00:00Z"))
    assert (chosen.begin, chosen.end) == (start, start + DAY // 2 + 1)


def test_a_date_as_the_end_means_its_whole_day() -> None:
    chosen = select_in(dataset("s", None, "d", "date-time"), (), Span("2024-01-31", "2024-01-31"))
    start = parse_moment("2024-01-31")
    assert (chosen.begin, chosen.end) == (start, start + DAY)


def test_against_dates_a_moment_counts_by_its_day() -> None:
    chosen = select_in(dataset("s", None, "d"), (), Span("2024-01-31T12:00:00Z", "2024-02-01T12:00:00Z"))
    assert chosen.begin == parse_moment("2024-01-31")
    assert chosen.end == parse_moment("2024-02-02") - 1


def test_the_last_day_there_is_leaves_the_end_open() -> None:
    assert select_in(dataset(), (), Span(None, "2262-04-11")).end is None
    assert select_in(dataset(), (), Span(None, format_moment(MAX_MOMENT))).end is None
    assert select_in(dataset("s", None, "d"), (), Span("1677-09-22", "2262-04-11")).end == MAX_MOMENT


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2024-02-30", "9" * 40, "2024-01-31T00:00:00", "1e3", "\x00"]
)
@pytest.mark.parametrize("name", ["from", "to"])
def test_a_time_that_can_t_be_read_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(Problem, match=f"{name} can't be read"):
        select_in(dataset(), (), Span(text, None) if name == "from" else Span(None, text))


def spanned(**given: str) -> Span:
    from urllib.parse import urlencode

    return span_of(Params(urlencode(given).encode()), parse_moment("2024-03-15T12:00:00Z"))


def test_a_day_and_a_named_range_are_whole_days() -> None:
    start = parse_moment("2024-03-15")
    assert select_in(dataset(), (), spanned(on="2024-03-15"))[1:3] == (start, start + DAY)
    assert select_in(dataset(), (), spanned(range="7d"))[1:3] == (start - 7 * DAY, start + DAY)
    dated = select_in(dataset("s", None, "d"), (), spanned(range="today"))
    assert dated[1:3] == (start, start + DAY - 1)


@pytest.mark.parametrize(
    "given",
    [
        {"on": "2024-01-01", "range": "7d"},
        {"on": "2024-01-01", "from": "2024-01-01"},
        {"range": "7d", "to": "2024-01-01"},
        {"on": "today"},
        {"range": "2024-01-01"},
        {"range": ""},
    ],
)
def test_a_time_is_said_in_one_way_that_can_be_read(given: dict[str, str]) -> None:
    with pytest.raises(Problem, match=r"on|range") as refused:
        spanned(**given)
    assert refused.value.code.name == "bad_parameter"
