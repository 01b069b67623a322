"""Small things that would become large, or take long: schemas, patterns, conditions, JSON, gzip."""

import gzip
import random
import threading
import time
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from api.decode.records import CONTAINERS, decode, parse_json
from rules.condition.condition import ConditionError, read_condition
from rules.errors import Problem
from rules.limits import Limits
from rules.schema.declare import declare
from rules.schema.validator import compile_schema
from tests.stage.house import House, house
from tests.stage.patience import eventually

LIMITS = Limits()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("bombs")) as running:
        yield running


def declared(**schema: Any) -> float:
    """Return the seconds that declaring a schema takes, be it taken or refused."""
    begun = time.perf_counter()
    try:
        declare("w", {"datasetId": "d", "schema": {"type": "object", **schema}}, 1)
    except Problem as refused:
        assert refused.code.status in (400, 422)
    return time.perf_counter() - begun


def refused(**schema: Any) -> str:
    with pytest.raises(Problem) as told:
        declare("w", {"datasetId": "d", "schema": {"type": "object", **schema}}, 1)
    return told.value.code.name


@pytest.mark.parametrize("word", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize(
    "place",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "other.json",
        "//host/x",
        "ftp://host/x",
        "urn:x",
        "data:,{}",
        "%23/x",
    ],
)
def test_a_reference_out_of_the_document_is_refused(word: str, place: str) -> None:
    assert refused(properties={"a": {word: place}}) == "bad_schema"
    assert refused(properties={"a": {}}, **{"$defs": {"x": {word: place}}}) == "bad_schema"


def test_no_reference_is_fetched() -> None:
    asked: list[str] = []

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

    server = HTTPServer(("127.0.0.1", 0), Noting)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        for schema in (
            {"properties": {"a": {"$ref": f"{base}/a"}}},
            {"properties": {"a": {}}, "$schema": f"{base}/meta"},
            {"properties": {"a": {"$ref": "b"}}, "$id": f"{base}/root"},
            {"properties": {"a": {"$id": f"{base}/inner", "$ref": "#"}}},
            {"properties": {"a": {"allOf": [{"$dynamicRef": f"{base}/c#x"}]}}},
        ):
            assert refused(**schema) == "bad_schema"
    finally:
        server.shutdown()
        thread.join(5)
    assert asked == []


def test_no_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text('{"type": "string"}')
    for place in (f"file://{tmp_path}/there.json", f"{tmp_path}/there.json"):
        assert refused(properties={"a": {"$ref": place}}) == "bad_schema"


def test_references_that_go_round_multiply_or_lead_deep_are_refused_at_once() -> None:
    doubling = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(40)} | {"l40": {}}
    chain = {f"l{n}": {"$ref": f"#/$defs/l{n + 1}"} for n in range(1_000)} | {"l1000": {}}
    round_about = {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}}
    for first, defs in (("l0", doubling), ("l0", chain), ("x", round_about)):
        schema = {"properties": {"a": {"$ref": f"#/$defs/{first}"}}, "$defs": defs}
        assert refused(**schema) == "bad_schema"
        assert declared(**schema) < 5


def test_a_schema_that_refers_to_itself_within_a_value_is_taken_and_checks_deep_records() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}}
    made = declare(
        "w",
        {
            "datasetId": "d",
            "schema": {
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/tree"}},
                "$defs": {"tree": tree},
            },
        },
        1,
    )
    assert made.by_name["a"].type.value == "object"


def test_huge_schemas_are_refused_before_anything_recursive_reads_them() -> None:
    deep: dict[str, Any] = {}
    for _ in range(20_000):
        deep = {"not": deep}
    for schema in (
        {"properties": {f"p{n}": {} for n in range(50_000)}},
        {"properties": {"a": deep}},
        {"properties": {"a": {"enum": list(range(50_000))}}},
        {"properties": {"a": {"anyOf": [{"const": n} for n in range(20_000)]}}},
        {"properties": {"a": {}}, "patternProperties": {f"p{n}": {} for n in range(200)}},
        {"properties": {f"p{n}": {"pattern": "a"} for n in range(101)}},
    ):
        assert refused(**schema) == "bad_schema"
        assert declared(**schema) < 5


EXPLODING = [
    r"(a+)+$",
    r"(a|a)*$",
    r"(a|aa)+$",
    r"(.*a){20}$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(?:a?){30}a{30}$",
]


@pytest.mark.parametrize("pattern", EXPLODING)
def test_a_pattern_of_a_schema_takes_no_more_than_twice_as_long_for_twice_the_text(pattern: str) -> None:
    compiled = compile_schema({"properties": {"s": {"pattern": pattern}}})
    doubling(lambda text: compiled.is_valid({"s": text}), 50_000)


@pytest.mark.parametrize("pattern", EXPLODING)
def test_matches_takes_no_more_than_twice_as_long_for_twice_the_text(pattern: str) -> None:
    condition = read_condition(f"s.matches('{pattern}')")
    doubling(lambda text: condition.matches({"s": text}), 4_000)


def doubling(check: Any, size: int) -> None:
    """Show that time follows the text: eight times the text in sixteen times the time at the most."""
    random.seed(1)
    texts = ["".join(random.choice("ab") for _ in range(size * factor)) + "!" for factor in (1, 8)]
    short, long = (min(timed(check, text) for _ in range(3)) for text in texts)
    assert long < 16 * short + 0.02, (short, long)
    assert long < 2


def timed(check: Any, text: str) -> float:
    begun = time.perf_counter()
    check(text)
    return time.perf_counter() - begun


@pytest.mark.parametrize("pattern", [r"(?=a)b", r"(a)\1", r"(?<!a)b", r"(?>a)"])
def test_patterns_that_need_more_than_linear_time_are_refused(pattern: str) -> None:
    assert refused(properties={"a": {"type": "string", "pattern": pattern}}) == "bad_schema"
    with pytest.raises(ConditionError):
        read_condition(f"a.matches(r'{pattern}')")


@pytest.mark.parametrize(
    "pattern",
    ["(?:a{1000}){1000}", "a{1001}", "((a{100}){100}){100}", r"(?:\pL{100}){50}"],
)
def test_patterns_that_would_be_large_are_refused_quickly(pattern: str) -> None:
    assert declared(properties={"a": {"type": "string", "pattern": pattern}}) < 2
    begun = time.perf_counter()
    with pytest.raises(ConditionError):
        read_condition(f"a.matches(r'{pattern}')")
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    "source",
    [
        "(" * 4_000 + "a",
        "!" * 4_000 + "a",
        "-" * 4_000 + "a",
        "a" + ".b" * 2_000,
        "a + " * 1_000 + "a",
        "a ? b : " * 500 + "c",
        "a in [" + "1," * 2_000 + "1]",
        "'" + "x" * 5_000 + "'",
        "1" * 4_000,
        "a.matches('a')" + " && a.matches('a')" * 16,
        "\\u0000",
        "a == 1e999999999",
    ],
)
def test_a_condition_beyond_a_limit_is_refused_quickly(source: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(ConditionError):
        read_condition(source, LIMITS)
    assert time.perf_counter() - begun < 1


def test_a_condition_at_its_limits_is_judged_quickly() -> None:
    source = " || ".join(f"s.contains('{'x' * 20}{n}')" for n in range(100))
    condition = read_condition(source, LIMITS)
    assert timed(condition.matches, {"s": "x" * 100_000}) < 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" + b"9" * 1_000_000 + b"]",
        b"[1e999]",
        b'["' + b"\\ud800" * 1_000 + b'"]',
        b"[" + b"-" * 1_000_000,
    ],
)
def test_json_that_is_deep_or_odd_is_refused_quickly(body: bytes) -> None:
    begun = time.perf_counter()
    try:
        parse_json(body)
    except Problem as told:
        assert told.code.status in (400, 422)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    "bomb", [b"[" + b"[]," * (CONTAINERS + 1) + b"[]]", b'[{"a":[' + b"{}," * (CONTAINERS + 1) + b"{}]}]"]
)
@pytest.mark.parametrize("kind", [None, b"application/x-ndjson"])
def test_json_that_would_take_far_more_memory_than_bytes_is_refused_unread(
    bomb: bytes, kind: bytes | None
) -> None:
    begun = time.perf_counter()
    with pytest.raises(Problem) as told:
        decode(bomb, kind, LIMITS)
    assert told.value.code.name == "body_too_large"
    assert time.perf_counter() - begun < 1


def test_a_large_body_of_ordinary_records_is_read() -> None:
    body = b"[" + b'{"a": [1, 2], "b": {"c": "[{"}},' * 99_999 + b'{"a": 1}]'
    assert len(decode(body, None, LIMITS).records) == 100_000


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("plain", [b" " * (60 << 20), b"[" + b"[]," * (16 << 20) + b"[]]", b"[" * (55 << 20)])
async def test_a_compressed_bomb_is_refused_and_the_broker_goes_on(here: House, plain: bytes) -> None:
    w = here.workspace()
    packed = gzip.compress(plain, 1)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    for _ in range(3):
        answer = await here.client.post(f"/v1/write/{w}/d", data=packed, headers=headers)
        assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert (await here.client.post(f"/v1/write/{w}/d", json={"a": 1})).status == 200

    async def given_back() -> None:
        metrics = (await here.client.get("/metrics")).body.decode()
        assert "\nsluice_inflight_bytes 0.0\n" in metrics

    await eventually(given_back, 10)
