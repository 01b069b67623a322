"""Bodies in blocks: the same records whatever pieces they come in, wherever reading is taken up again."""

import contextlib
import csv
import gc
import io
import json
import random
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.decode import blocks as blocks_module
from api.decode import elements as elements_module
from api.decode.blocks import BrokenError
from rules.limits import Limits
from tests.api.decode.pieces import blocks_in, decoded

SMALL = 64
"""Bytes of a window in these tests, so that a few records are several blocks."""

MOST = 4


@pytest.fixture(autouse=True, scope="module")
def small_windows() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "WINDOW", SMALL)
        for module in (blocks_module, elements_module):
            patch.setattr(module, "MOST", MOST)
        yield


texts = st.text(max_size=20) | st.sampled_from(
    ['"', "\\", "},{", "]", '\\\\"', "a,b", "\n", "\r\n", "\t|", "é"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
members = st.dictionaries(texts, values, max_size=4) | values
cuts = st.lists(st.integers(0, 2_000), max_size=8)
spaces = st.sampled_from(["", " ", "\n", "\r\n  "])


@st.composite
def arrays(draw: st.DrawFn) -> tuple[bytes, list[Any]]:
    sent = draw(st.lists(members, max_size=12))
    between = draw(spaces) + "," + draw(spaces)
    body = between.join(json.dumps(one, ensure_ascii=draw(st.booleans())) for one in sent)
    text = f"{draw(spaces)}[{draw(spaces)}{body}{draw(spaces)}]{draw(spaces)}"
    return text.encode("utf-8", "surrogatepass"), sent


@given(sent=arrays(), cuts=cuts)
@settings(max_examples=200, deadline=None)
def test_an_array_is_the_same_in_whatever_pieces_it_comes(
    sent: tuple[bytes, list[Any]], cuts: list[int]
) -> None:
    body, members = sent
    found = decoded(blocks_in(body, cuts))
    assert found.rows == [json.loads(json.dumps(one)) for one in members]
    assert found.indexes == list(range(len(members)))
    assert found.lines == list(range(1, len(members) + 1))
    assert found.refused == []


@given(sent=st.lists(st.dictionaries(texts, values, max_size=4), min_size=1, max_size=12), cuts=cuts)
@settings(max_examples=120, deadline=None)
def test_lines_are_the_same_in_whatever_pieces_they_come(sent: list[Any], cuts: list[int]) -> None:
    body = "\n".join(json.dumps(one) for one in sent).encode()
    found = decoded(blocks_in(body, cuts))
    assert found.rows == [json.loads(json.dumps(one)) for one in sent]
    assert found.lines == list(range(1, len(sent) + 1))


@given(sent=st.lists(st.dictionaries(texts, values, max_size=4), min_size=1, max_size=6), cuts=cuts)
@settings(max_examples=200, deadline=None)
def test_objects_over_several_lines_are_read_one_after_another(sent: list[Any], cuts: list[int]) -> None:
    body = "\n".join(json.dumps({"first": 1, **one}, indent=2) for one in sent).encode()
    if "\n{" in json.dumps(sent) or body.count(b"\n{") >= 1:
        body = b" ".join(json.dumps({"first": 1, **one}, indent=2).encode() for one in sent)
    found = decoded(blocks_in(body, cuts))
    assert found.rows == [json.loads(json.dumps({"first": 1, **one})) for one in sent]


cells = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12) | st.sampled_from(
    ['"', '""', "a\nb", "a\r\nb", ",", "\t", "|", "", " ", "é", "\x00"]
)


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=12),
    delimiter=st.sampled_from(",\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    cuts=cuts,
)
@settings(max_examples=200, deadline=None)
def test_rows_are_the_same_in_whatever_pieces_they_come(
    rows: list[list[str]], delimiter: str, end: str, cuts: list[int]
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b", "c"], *rows])
    body = out.getvalue().encode()
    found = decoded(blocks_in(body, cuts))
    assert found.rows == rows
    assert found.indexes == list(range(len(rows)))
    line = 2
    for row, said in zip(rows, found.lines, strict=True):
        assert said == line
        line += 1 + sum(cell.count("\n") for cell in row)


def any_body(chance: random.Random) -> bytes:
    """Return a body that is a little wrong in places, in one of the formats."""
    rows = [{"n": n, "text": chance.choice(["x", 'q"q', "a,b", "y" * 90, "é\n"])} for n in range(30)]
    kind = chance.randrange(3)
    if kind == 0:
        body = json.dumps(rows).encode()
    elif kind == 1:
        body = "\n".join(json.dumps(row) for row in rows).encode()
    else:
        out = io.StringIO(newline="")
        csv.writer(out).writerows([["n", "text"], *([row["n"], row["text"]] for row in rows)])
        body = out.getvalue().encode()
    harmed = bytearray(body)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(10, len(harmed))
        harmed[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(harmed)


@given(seed=st.integers(0, 10**9), cuts=cuts, small=st.booleans())
@settings(max_examples=200, deadline=None)
def test_reading_is_taken_up_behind_any_block_and_goes_on_as_it_would_have(
    seed: int, cuts: list[int], small: bool
) -> None:
    body = any_body(random.Random(seed))
    limits = Limits(record_bytes=80) if small else Limits()
    try:
        whole = blocks_in(body, (), limits)
    except BrokenError:
        with pytest.raises(BrokenError):
            blocks_in(body, cuts, limits)
        return
    assert blocks_in(body, cuts, limits) == whole
    for number, block in enumerate(whole):
        assert blocks_in(body, cuts, limits, block.after) == whole[number + 1 :]


@given(body=st.binary(max_size=400), cuts=cuts)
@settings(max_examples=120, deadline=None)
def test_any_bytes_are_read_or_refused_and_every_record_has_its_place(body: bytes, cuts: list[int]) -> None:
    try:
        found = decoded(blocks_in(body, cuts))
    except BrokenError as broken:
        assert str(broken)
        return
    places = sorted([*found.indexes, *(index for index, _, _ in found.refused)])
    assert places == list(range(len(places)))


def test_a_bad_member_of_an_array_is_refused_and_the_others_are_read() -> None:
    found = decoded(blocks_in(b'[{"a":1},{"a":tru},{"a":"},{"},[1,{"b":}],{"a":2}]'))
    assert found.rows == [{"a": 1}, {"a": "},{"}, {"a": 2}]
    assert found.refused == [(1, 2, "bad_line"), (3, 4, "bad_line")]


def test_a_comma_before_the_end_breaks_an_array_however_many_records_stand_before_it() -> None:
    for records in range(1, 2 * MOST + 2):
        for end in (b"]", b" ]", b"]]", b"],1]"):
            with pytest.raises(BrokenError):
                blocks_in(b"[" + b"1," * records + end)


def test_of_json_lines_each_is_a_record_alone() -> None:
    found = decoded(blocks_in(b'{"a":\n 1} {"a": 2}\n{"a":3}'))
    assert (found.rows, found.lines) == ([{"a": 3}], [3])
    assert found.refused == [(0, 1, "bad_line"), (1, 2, "bad_line")]


def test_a_bad_line_is_refused_with_the_line_it_stands_in() -> None:
    found = decoded(blocks_in(b'{"a":1}\n\n{"a":\n{"a":2}\n7\n'))
    assert found.rows == [{"a": 1}, {"a": 2}, 7]
    assert found.lines == [1, 4, 5]
    assert found.refused == [(1, 3, "bad_line")]


@pytest.mark.parametrize(
    "body",
    [
        b"[",
        b"[1,2",
        b'[{"a":1}',
        b'[{"a":1},',
        b'[{"a":1} {"b":2}]',
        b"[1] 2",
        b'[{"a":"',
        b'{"a":\n 1',
        b"",
        b" \n",
    ],
)
def test_a_text_that_breaks_off_is_broken(body: bytes) -> None:
    with pytest.raises(BrokenError):
        blocks_in(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"a,a\n1,2\n", "twice"),
        (b"a,,c\n1,2,3\n", "empty"),
        (b"a,_b\n1,2\n", "_"),
        (b"\xff\xfe\n1\n", "UTF-8"),
        (b'"a\n1\n', "can't be read"),
        (",".join(f"c{n}" for n in range(401)).encode(), "401 columns"),
    ],
)
def test_a_header_that_can_not_be_one_is_named(body: bytes, says: str) -> None:
    with pytest.raises(BrokenError, match=says):
        blocks_in(body)


def test_rows_that_do_not_fit_the_header_are_refused_by_their_line() -> None:
    found = decoded(blocks_in(b'a,b\n1,2\n3\n\n4,5,6\n"x"y,2\n7,"8\n9"\n10,"11\n'))
    assert found.rows == [["1", "2"], ["7", "8\n9"]]
    assert found.lines == [2, 7]
    assert found.refused == [(1, 3, "bad_row"), (2, 5, "bad_row"), (3, 6, "bad_row"), (5, 9, "bad_row")]


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b'[{"a":1},{"a":"' + b'x\\"' * 400 + b'"},{"a":2}]', (1, 2)),
        (b'[{"a":1},' + b"[" * 600 + b"]" * 600 + b',{"a":2}]', (1, 2)),
        (b'{"a":1}\n{"a":"' + b"x" * 1_000 + b'"}\n{"a":2}', (1, 2)),
        (b'n\n1\n"' + b'x\n""' * 300 + b'"\n2\n', (1, 3)),
    ],
)
def test_a_record_that_is_too_large_is_passed_over_and_not_held(
    body: bytes, refused: tuple[int, int]
) -> None:
    limits = Limits(record_bytes=200)
    for cuts in ((), range(0, len(body), 7)):
        found = decoded(blocks_in(body, cuts, limits))
        assert found.rows in ([{"a": 1}, {"a": 2}], [["1"], ["2"]])
        assert found.refused == [(*refused, "record_too_large")]


def test_the_line_behind_a_large_row_of_several_lines_is_right() -> None:
    body = b'n\n"' + b"x\n" * 300 + b'"\n2\n'
    found = decoded(blocks_in(body, (), Limits(record_bytes=200)))
    assert (found.rows, found.lines) == ([["2"]], [303])


def test_a_mark_of_byte_order_is_passed_over() -> None:
    assert decoded(blocks_in(b'\xef\xbb\xbf[{"a":1}]')).rows == [{"a": 1}]
    assert decoded(blocks_in(b'\xef\xbb\xbf{"a":1}\n{"a":2}')).rows == [{"a": 1}, {"a": 2}]
    assert decoded(blocks_in(b"\xef\xbb\xbfa,b\n1,2")).rows == [["1", "2"]]


HOSTILE = {
    "quotes": lambda n: b"a\n" + b'"\n' * n,
    "a quote never closed": lambda n: b'a\n"' + b"x\n" * n,
    "brackets": lambda n: b"[" + b"[" * n,
    "closing brackets": lambda n: b"[" + b"]," * n,
    "guesses that are wrong": lambda n: b'[{"a":["' + b"},{" * n + b'"]}]',
    "backslashes": lambda n: b'["' + b"\\" * 2 * n + b'"]',
    "backslashes without an end": lambda n: b'["' + b"\\" * (2 * n + 1),
    "spaces": lambda n: b"[" + b" " * n + b"]",
    "tiny members": lambda n: b"[" + b"0," * n + b"0]",
    "bad lines": lambda n: b"{}\n" + b"{\n" * n,
    "empty lines": lambda n: b"{}\n" + b"\n" * n,
    "commas": lambda n: b"a,b\n" + b"," * n,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_bytes_and_not_faster(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "WINDOW", 32 * 1024)  # below the smaller body, as work is per window
    for module in (blocks_module, elements_module):
        monkeypatch.setattr(module, "MOST", 2_000)

    def took(size: int) -> float:
        body = HOSTILE[name](size)
        gc.disable()  # its time grows with whatever else the process holds
        try:
            begun = process_time()
            with contextlib.suppress(BrokenError):
                blocks_in(body, range(0, len(body), 512 * 1024))
            return process_time() - begun
        finally:
            gc.enable()

    small, large = took(60_000), took(480_000)
    assert large < 8 * small * 3 + 0.3, f"8 times the bytes took {large / small:.1f} times as long"
