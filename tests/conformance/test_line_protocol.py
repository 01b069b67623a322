"""Line protocol: the strict parser holds every vector, and skeletons take nothing that it reads otherwise."""

import base64
import json
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.influx.point import Point
from api.influx.recognise import recognise
from api.influx.skeletons import Skeletons
from api.influx.strict import LineError, read_line
from rules.limits import Limits
from rules.schema.dataset import ColumnType

CORPUS = json.loads((Path(__file__).parent / "line_protocol" / "corpus.json").read_text())
UNITS = {"1ns": 1, "1µs": 10**3, "1ms": 10**6, "1s": 10**9}
KINDS = {
    ColumnType.NUMBER: "float",
    ColumnType.INTEGER: "int",
    ColumnType.UNSIGNED: "uint",
    ColumnType.BOOLEAN: "bool",
    ColumnType.STRING: "string",
}
# In a text `\n`, `\r` and `\t` are kept as written, as InfluxDB 2's own parser does (the contract says so).
OTHERWISE = {
    "ea7ad6289581283d56af6d43c72c2664": "\\n",
    "0d72bd69a58fa1a3399cf61fc9fdc67c": "\\r",
    "909116df4d304c2e9ad8a57300bc08d7": "\\t",
}


def body_of(text: Any) -> bytes:
    return base64.b64decode(text["binary"]) if isinstance(text, dict) else text.encode()


def points_of(text: str, unit: int = 1) -> list[Point]:
    """Read a body strictly from its first line to its last; the first bad one ends it."""
    at, found = 0, []
    while at < len(text):
        point, at = read_line(text, at, unit)
        if point is not None:
            found.append(point)
    return found


def told(point: Point, default: int) -> dict[str, Any]:
    """Return a point as the vectors show it."""
    shape = point.shape
    tags = zip(shape.tags, point.values, strict=False)
    fields = zip(shape.fields, shape.types, point.values[len(shape.tags) :], strict=True)
    return {
        "time": default if point.time is None else point.time,
        "name": shape.measurement,
        "tags": sorted(({"key": k, "value": v} for k, v in tags), key=lambda tag: tag["key"].encode()),
        "fields": [{"key": name, "value": {KINDS[kind]: value}} for name, kind, value in fields],
    }


@pytest.mark.parametrize("name", sorted(CORPUS["decode"]))
def test_every_decode_vector_holds_but_where_the_contract_says_otherwise(name: str) -> None:
    given, wanted = CORPUS["decode"][name]["input"], CORPUS["decode"][name]["output"]
    unit = UNITS[given["precision"]]
    try:
        points = points_of(body_of(given["text"]).decode(), unit)
    except (UnicodeDecodeError, LineError):
        assert "error" in wanted, given["text"]
        return
    found = [told(point, given["defaultTime"] // unit * unit) for point in points]
    if name in OTHERWISE:
        assert found != wanted["result"]
        assert found[0]["fields"][0]["value"] == {"string": OTHERWISE[name]}
        return
    assert found == wanted.get("result"), wanted.get("error")


@pytest.mark.parametrize("name", sorted(CORPUS["encode"]))
def test_what_the_encode_vectors_make_is_read(name: str) -> None:
    given, text = CORPUS["encode"][name]["input"], CORPUS["encode"][name]["output"].get("result")
    if text is None:
        return
    unit = UNITS[given["precision"]]
    (point,) = points_of(body_of(text).decode(), unit)
    found = told(point, given["point"]["time"])
    if name == "65a52922c8cba2673eff7194628cc1e0":  # it writes a line feed as `\\n`
        found["fields"][0]["value"]["string"] = found["fields"][0]["value"]["string"].replace("\\n", "\n")
    assert found == {**given["point"], "time": given["point"]["time"] // unit * unit}


NAMES = st.sampled_from(["cpu", "m", "a b", "x,y", "é", "k=v", "m#", '"q"'])
KEYS = st.sampled_from(["host", "region", "a b", "t=1", "v", "time", "_x"])
TAGS = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\\"), min_size=1, max_size=6
)
NUMBERS = st.one_of(
    st.integers(-(2**64), 2**65).map(lambda n: f"{n}i"),
    st.integers(-5, 2**65).map(lambda n: f"{n}u"),
    st.floats(allow_nan=True).map(repr),
    st.sampled_from(
        ["1", "1.", ".5", "-.5", "1e5", "1E+5", "1e400", "+1", "0x1", "1_0", "1e", "-", "٣", "01i"]
    ),
    st.sampled_from(["t", "F", "true", "FALSE", "tRUE", "yes", ""]),
    st.text(max_size=6).map(lambda s: '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'),
)
TIMES = st.one_of(
    st.just(""), st.integers(-(2**65), 2**65).map(lambda n: f" {n}"), st.sampled_from([" 5 ", " 5.0", "  7"])
)


def escaped(name: str, marks: str) -> str:
    return "".join(f"\\{letter}" if letter in marks else letter for letter in name)


@st.composite
def lines(draw: st.DrawFn) -> str:
    tags = draw(st.dictionaries(KEYS, TAGS, max_size=2))
    fields = draw(st.lists(st.tuples(KEYS, NUMBERS), min_size=1, max_size=2))
    head = escaped(draw(NAMES), ", ")
    head += "".join(f",{escaped(k, ',= ')}={escaped(v, ',= ')}" for k, v in tags.items())
    line = head + " " + ",".join(escaped(k, ",= ") + "=" + v for k, v in fields) + draw(TIMES)
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(line)))
        line = (
            line[:at]
            + draw(st.sampled_from(["", '"', "\\", " ", ",", "=", "\t", "\x00", "\r", "#", "\n"]))
            + line[at + 1 :]
        )
    return line + draw(st.sampled_from(["", "", "", "\r", " "]))


REGULAR = st.integers(0, 50).map(lambda n: f"cpu,host=h{n} v={n}.5,n={n}i {n}")
ESCAPED = st.tuples(st.sampled_from(["a\\ b", "a\\,b", "a\\", "a\\\\ b"]), st.integers(0, 50)).map(
    lambda of: f"{of[0]},host=h v={of[1]}.5 {of[1]}"
)
SAME = st.tuples(NUMBERS, NUMBERS, TIMES).map(lambda of: f"cpu,host=h v={of[0]},n={of[1]}{of[2]}")
ODD = st.sampled_from(
    ['s,host=a t="x', 's,host=a t="x"', 'cpu,host=h v=1.5,n=1i "', "# a comment", "", " ", "bad"]
)
LINES = st.one_of(REGULAR, REGULAR, ESCAPED, SAME, lines(), ODD)
BODIES = st.lists(LINES, min_size=1, max_size=14).map("\n".join)


def by_line(text: str) -> tuple[dict[int, Point], list[int]]:
    """Read a body strictly, line by line: points by the lines they begin in, and the lines that are bad."""
    at, points, bad = 0, {}, []
    while at < len(text):
        number = text.count("\n", 0, at)
        try:
            point, at = read_line(text, at, 1)
        except LineError as error:
            bad.append(number)
            at = error.end
        else:
            if point is not None:
                points[number] = point
    return points, bad


def recognised(text: str, known: Skeletons) -> tuple[dict[int, Point], list[int]]:
    found = recognise(text.encode(), 1, 7, known, Limits(errors_listed=1000))
    points = {}
    for block in found.blocks:
        for row, line in enumerate(block.lines):
            values = tuple(column[row] for column in block.columns)
            time = block.times[row] if block.shape.timed else None
            assert block.shape.timed or block.times[row] == 7
            assert line not in points
            points[line] = Point(block.shape, values, time)
    return points, sorted(refusal.index for refusal in found.refusals.first)


def shown(points: dict[int, Point]) -> dict[int, str]:
    return {line: repr(point) for line, point in sorted(points.items())}


@given(st.lists(BODIES, min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_skeletons_read_a_body_as_the_strict_parser_does_alone(bodies: list[str]) -> None:
    known = Skeletons()
    for body in (*bodies, *bodies, *bodies):  # the first time teaches, the others use what was learned
        points, bad = by_line(body)
        found, refused = recognised(body, known)
        assert shown(found) == shown(points)
        assert refused == bad


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_body_breaks_the_parser(body: bytes) -> None:
    known = Skeletons()
    known.learn("m", points_of("m v=1")[0].shape)
    known.learn("m", points_of("m v=1")[0].shape)
    found = recognise(b"m v=1\nm v=2\n" + body, 0, 7, known, Limits())
    assert sum(len(block.lines) for block in found.blocks) >= 1


HOSTILE = {
    "quotes that no quote closes": lambda n: 'm s="\n' * n,
    "quotes that close in the next line": lambda n: 'm s="x\nm t="' * n,
    "quotes behind backslashes": lambda n: 'm\\" s="x\\"\n' * n,
    "one quote before all": lambda n: 'm s="' + "\\x" * n,
    "backslashes": lambda n: "m" + "\\" * n,
    "backslashes that escape": lambda n: "m," + "\\,=" * n,
    "spaces": lambda n: "m v=1" + " " * n + "x\n",
    "lines of spaces": lambda n: (" " * 50 + "\n") * (n // 10),
    "digits": lambda n: "m v=" + "1" * n + "i " + "2" * n,
    "digits of a float": lambda n: "m v=0." + "1" * n + "e" + "0" * n + "1",
    "commas": lambda n: "m" + "," * n,
    "tags": lambda n: "m" + "".join(f",t{i}=x" for i in range(n // 10)) + " v=1",
    "fields": lambda n: "m " + ",".join(f"f{i}=1" for i in range(n // 10)),
    "shapes that are all different": lambda n: "".join(f"m{i} f{i}=1\nm{i} f{i}=2\n" for i in range(n // 20)),
    "shapes of one measurement": lambda n: "".join(f"m f{i}=1\nm f{i}=2\n" for i in range(n // 20)),
    "comments with a quote": lambda n: '# "\n' * n,
    "bytes that are no text": lambda n: "m v=1\n" * n + "\udcff",
    "points behind a quote": lambda n: 'm s="\n' + "m v=1\n" * n + '" 1',
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_body_takes_time_in_proportion_to_its_length(name: str) -> None:
    def seconds(size: int) -> float:
        body = HOSTILE[name](size).encode(errors="surrogateescape")
        best = float("inf")
        for _ in range(2):
            known = Skeletons()
            started = process_time()
            recognise(body, 1, 7, known, Limits())
            best = min(best, process_time() - started)
        return best

    small, large = seconds(2_000), seconds(32_000)
    assert large < 0.05 + 16 * 5 * small  # twice the power of the length would be 256 times as long
