"""The bytes of a body: content types, encodings, sizes, and JSON that is none (the contract, section 1)."""

import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stage.house import House, house
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORDS = [{"a": 1}, {"a": 2}, {"a": 3}]
BODY = json.dumps(RECORDS).encode()
MB = 1024 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("bodies")) as running:
        yield running


def zipped(body: bytes, level: int = 9) -> bytes:
    """Return the same bytes whenever it is asked, for they are part of tests' names."""
    return gzip.compress(body, level, mtime=0)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("identity", BODY),
        ("", BODY),
        ("gzip", zipped(BODY)),
        ("GZIP", zipped(BODY)),
        ("x-gzip", zipped(BODY)),
        ("gzip", zipped(BODY[:5]) + zipped(BODY[5:7]) + zipped(BODY[7:])),
        ("gzip", zipped(b"") + zipped(BODY)),
        ("gzip", zipped(BODY, 0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
    ],
)
async def test_encoded_bodies_are_read(here: House, encoding: str, body: bytes) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/write/{w}/d", data=body, headers={"Content-Encoding": encoding})
    assert (answer.status, answer.json.get("inserted")) == (200, 3)
    assert here.stored(w, "d") == RECORDS


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", BODY),
        ("gzip", b"\x1f\x8b"),
        ("gzip", zipped(BODY)[:-1]),
        ("gzip", zipped(BODY)[:-9]),
        ("gzip", zipped(BODY) + b"trailing"),
        ("gzip", zipped(BODY) + zipped(BODY)[:12]),
        ("gzip", zipped(BODY)[:-8] + b"\x00" * 8),
        ("deflate", zlib.compress(BODY)[:-1]),
        ("deflate", b"\xff\xff\xff"),
        ("deflate", zipped(BODY)),
    ],
)
async def test_a_broken_or_cut_encoding_is_400(here: House, encoding: str, body: bytes) -> None:
    w = here.workspace()
    answer = await here.client.post(f"/v1/write/{w}/d", data=body, headers={"Content-Encoding": encoding})
    assert (answer.status, answer.json["code"]) == (400, "bad_encoding")
    assert here.stored(w, "d") == []


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip", "gzip;q=1", "x"])
async def test_another_encoding_is_415(here: House, encoding: str) -> None:
    answer = await here.client.post(
        f"/v1/write/{here.workspace()}/d", data=BODY, headers={"Content-Encoding": encoding}
    )
    assert (answer.status, answer.json["code"]) == (415, "unsupported_encoding")


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "application/json",
            "application/json; charset=utf-8",
            "APPLICATION/JSON",
            "application/vnd.x+json",
        ),
        *("text/plain", "application/octet-stream", "application/x-www-form-urlencoded"),
    ],
)
async def test_json_is_read_under_its_types_and_tried_without_one(here: House, kind: str) -> None:
    answer = await here.client.post(
        f"/v1/write/{here.workspace()}/d", data=BODY, headers={"Content-Type": kind}
    )
    assert (answer.status, answer.json.get("inserted")) == (200, 3)


async def test_json_is_tried_where_no_type_is_given(here: House) -> None:
    answer = await here.client.post(
        f"/v1/write/{here.workspace()}/d", data=BODY, skip_auto_headers=["Content-Type"]
    )
    assert (answer.status, answer.json.get("inserted")) == (200, 3)


@pytest.mark.parametrize(
    "kind", ["text/csv", "application/xml", "multipart/form-data; boundary=x", "image/png"]
)
async def test_other_content_types_are_415(here: House, kind: str) -> None:
    answer = await here.client.post(
        f"/v1/write/{here.workspace()}/d", data=BODY, headers={"Content-Type": kind}
    )
    assert (answer.status, answer.json["code"]) == (415, "unsupported_type")


@pytest.mark.parametrize(
    ("body", "byte"),
    [
        (b"", 0),
        (b"  \n", 0),
        (b"{", 1),
        (b'[{"a": 1}', 9),
        (b'[{"a": 1},]', 10),
        (b'[{"a": 1}]x', 10),
        (b"[{'a': 1}]", 2),
        (b"[NaN]", 1),
        (b"[Infinity]", 1),
        (b'[{"a": -Infinity}]', 8),
        (b'[{"a": 01}]', 8),
        (b'[{"a": "\xff"}]', 8),
        (b'[{"a": "ab\xc3"}]', 10),
        (b'["\xed\xa0\x80"]', 2),
        (b'{"a": "\\ud800"}', 7),
        (b'{"a": "x\\udc00"}', 8),
        (b'[{"a": "\x00"}]', 8),
        (b'[{"a": "\n"}]', 8),
        (b"\xff\xfe[\x00]\x00", 0),
    ],
)
async def test_a_body_that_is_no_json_is_400_with_the_byte_where_it_breaks(
    here: House, body: bytes, byte: int
) -> None:
    w = here.workspace()
    answer = await here.client.post(
        f"/v1/write/{w}/d", data=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status, answer.json["code"]) == (400, "bad_json")
    found = re.search(r"\(byte (\d+)\)", answer.json["detail"])
    assert found is not None
    assert byte <= int(found[1]) <= byte + 6  # the end of the character or escape that breaks it will do


@pytest.mark.parametrize("body", [b"1", b'"x"', b"null", b"true"])
async def test_json_that_is_neither_object_nor_array_is_400(here: House, body: bytes) -> None:
    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=body)
    assert (answer.status, answer.json["code"]) == (400, "bad_json")


@pytest.mark.parametrize("path", ["write", "data", "postdata", "lines"])
async def test_a_byte_order_mark_before_a_body_says_nothing(here: House, path: str) -> None:
    w = here.workspace()
    record = {"postdata": b'{"datasetId": "%b.d", "data": [{"a": 1}]}' % w.encode()}.get(path, b'{"a": 1}')
    url = {
        "write": f"/v1/write/{w}/d",
        "lines": f"/v1/write/{w}/d",
        "data": f"/v1/data/{w}/d?wait=true",
        "postdata": "/dataload/postdata",
    }[path]
    kind = "application/x-ndjson" if path == "lines" else "application/json"
    answer = await here.client.post(url, data=b"\xef\xbb\xbf" + record, headers={"Content-Type": kind})
    assert answer.status in (200, 202), answer.body

    async def stored() -> None:
        assert [one["a"] for one in here.stored(w, "d")] == [1]

    await eventually(stored)


@pytest.mark.parametrize("path", ["/v1/data/{w}/d", "/v1/write/{w}/d", "/v1/generate-schema/{w}"])
async def test_a_form_with_a_file_is_refused_and_told_how_to_send_the_file(here: House, path: str) -> None:
    w = here.workspace()
    form = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.csv"\r\n\r\na,b\n1,2\n\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await here.client.post(path.format(w=w), data=form, headers=headers)
    assert (answer.status, answer.json["code"]) == (415, "unsupported_type")
    assert (await here.client.get(f"/v1/datasets/{w}/d")).status == 404


_UNKEPT = {
    "number": rb'{"a": {"b": -1e400}}',
    "alone": rb"1e999",
    "high": rb'{"a": "x\ud83d"}',
    "low": rb'{"\udE00": 1}',
    "two high": rb'{"a": "\ud83d\ud83d"}',
    "high before another escape": rb'{"a": "\ud83d\n"}',
}
"""JSON, with a value that no record may hold."""


@pytest.mark.parametrize("door", ["write", "record"])
@pytest.mark.parametrize("unkept", _UNKEPT.values(), ids=_UNKEPT)
async def test_a_value_no_record_may_hold_refuses_its_member_of_an_array_alone(
    here: House, unkept: bytes, door: str
) -> None:
    w = here.workspace()
    body = rb'[{"a": "1"}, %b ,{"a": "]}\"\ud83d\ude00"},%b,{"a": "3"}]' % (unkept, unkept)
    answer = await here.client.post(f"/v1/{door}/{w}/d?wait=true", data=body)
    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 3, 2), answer.body
    assert [one["index"] for one in answer.json["errors"]] == [1, 3]
    assert all("holds a" in one["message"] for one in answer.json["errors"])
    assert [one["a"] for one in here.stored(w, "d")] == ["1", ']}"\U0001f600', "3"]


@pytest.mark.parametrize("unkept", _UNKEPT.values(), ids=_UNKEPT)
async def test_an_array_of_nothing_but_such_values_is_422_naming_each(here: House, unkept: bytes) -> None:
    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=b"[%b]" % unkept)
    assert (answer.status, answer.json["code"]) == (422, "all_refused")
    (error,) = answer.json["errors"]
    assert (error["index"], error["code"], error["retriable"]) == (0, "bad_line", False)


@pytest.mark.parametrize(
    ("body", "byte"),
    [
        (b'[{"a":1e400},{01}]', 14),
        (b"[1e400", 6),
        (b"[1e400,]", 7),
        (b"[1e400]]", 7),
        (b'[1e400, "\\ud800" {}]', 17),
        (b'[{"a":1e400},{"b":"\xff"}]', 19),
        (b'[{"a":1e400,"b":"\xff"},{"a":3}]', 17),
        (b'[{"b":"\xff","a":1e400},{"a":3}]', 7),
        (b'["\xc3\xa9\\ud800", {"a":1e400,"b":"\xc3\xa9\\q"},{}]', 31),
        (b'[1e400, {"a": [NaN]}]', 8),
    ],
)
async def test_what_makes_such_an_array_no_json_is_said_with_its_byte(
    here: House, body: bytes, byte: int
) -> None:
    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=body)
    assert (answer.status, answer.json["code"]) == (400, "bad_json")
    found = re.search(r"\(byte (\d+)\)", answer.json["detail"])
    assert found is not None
    assert byte <= int(found[1]) <= byte + 1, answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[1e400,[" + b"[]," * 2_000_000 + b"1]]", 413, "body_too_large"),
        (b"[[" + b"[]," * 2_000_000 + b"1e400]]", 413, "body_too_large"),
        (b'[{"a": "' + b"\\n" * 600_000 + b'", "b": 1e400}]', 422, "all_refused"),
        (b'[1e400, "' + b"\\ud800" * 200_000 + b'"]', 422, "all_refused"),
    ],
    ids=["brackets", "brackets in one", "escapes", "halves"],
)
async def test_such_a_value_is_no_way_around_the_bounds_of_bodies_and_records(
    here: House, body: bytes, status: int, code: str
) -> None:
    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=body)
    assert (answer.status, answer.json["code"]) == (status, code)
    if status == 422:
        assert answer.json["errors"][-1]["code"] == "record_too_large"


@pytest.mark.parametrize(
    "broken",
    [b'{"a": 01}', b"", b'{"a": "\\q"}', b'{"a": "\xff"}', b'{"a": 1e400', b'{"a": 1e400, }', b'"', b"1 2"],
)
async def test_beside_such_a_value_an_array_that_is_no_json_is_400_as_a_whole(
    here: House, broken: bytes
) -> None:
    w = here.workspace()
    for body in (rb"[1e400, {}, %b]", rb'[{"a": "\ud800"}, %b, {}]', rb"[%b,1e400]", rb"[1e400]%b ]"):
        answer = await here.client.post(f"/v1/write/{w}/d", data=body % broken)
        assert (answer.status, answer.json["code"]) == (400, "bad_json"), body % broken
    assert (await here.client.get(f"/v1/datasets/{w}/d")).status == 404


async def test_members_beyond_what_a_write_may_hold_are_413_beside_such_a_value_too(here: House) -> None:
    body = b"[1e400" + b",1" * 100_001 + b"]"
    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=body)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("depth", [2_000, 200_000])
async def test_json_as_deep_as_a_well_is_refused(here: House, depth: int) -> None:
    for body in (b"[" * depth, b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=body)
        assert answer.status in (400, 422)
        assert answer.json["code"] in ("bad_json", "too_deep", "all_refused")


async def test_a_body_larger_than_the_wire_limit_is_413_naming_it(here: House) -> None:
    body = b" " * (10 * MB) + b"[]"
    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=body)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert str(10 * MB) in answer.json["detail"]


_SAYING = [
    ("POST", "/v1/tokens"),
    ("POST", "/v1/datasets/{w}"),
    ("PATCH", "/v1/datasets/{w}/d"),
    ("POST", "/v1/rules/{w}"),
    ("POST", "/v1/subscriptions/{w}"),
    ("POST", "/v1/sql/{w}"),
]
"""Requests that bring no records."""


@pytest.mark.parametrize(("method", "path"), _SAYING, ids=[f"{method} {path}" for method, path in _SAYING])
async def test_what_brings_no_records_may_have_a_megabyte_however_small_it_was_packed(
    here: House, method: str, path: str
) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/record/{w}/d", json=[{"a": 1}])
    body = gzip.compress(b'{"a":"' + b"\\n" * MB + b'"')
    headers = {"Content-Encoding": "gzip"}
    answer = await here.client.ask(method, path.format(w=w), data=body, headers=headers)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert str(MB) in answer.json["detail"]


async def test_a_body_as_large_as_the_wire_limit_is_taken(here: House) -> None:
    body = b" " * (10 * MB - 2) + b"[]"
    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=body)
    assert (answer.status, answer.json.get("accepted")) == (200, 0)


async def test_a_chunked_body_larger_than_the_wire_limit_is_413(here: House) -> None:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * MB

    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=drops())
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_decompression_stops_at_the_limit(here: House, encoding: str) -> None:
    bomb = b" " * (51 * MB)
    body = zipped(bomb) if encoding == "gzip" else zlib.compress(bomb)
    answer = await here.client.post(
        f"/v1/write/{here.workspace()}/d", data=body, headers={"Content-Encoding": encoding}
    )
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert str(50 * MB) in answer.json["detail"]


async def test_a_bomb_of_many_members_stops_at_the_limit_too(here: House) -> None:
    body = zipped(b" " * MB) * 60
    answer = await here.client.post(
        f"/v1/write/{here.workspace()}/d", data=body, headers={"Content-Encoding": "gzip"}
    )
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


async def test_a_body_within_the_limit_after_decompression_is_taken(here: House) -> None:
    body = zipped(b" " * (48 * MB) + BODY)
    answer = await here.client.post(
        f"/v1/write/{here.workspace()}/d", data=body, headers={"Content-Encoding": "gzip"}
    )
    assert (answer.status, answer.json.get("inserted")) == (200, 3)


@pytest.mark.parametrize("size", [MB - 1, MB, MB + 1, 2 * MB])
async def test_no_size_after_decompression_is_special(here: House, size: int) -> None:
    body = zipped(BODY + b" " * (size - len(BODY)))
    answer = await here.client.post(
        f"/v1/write/{here.workspace()}/d", data=body, headers={"Content-Encoding": "gzip"}
    )
    assert (answer.status, answer.json.get("inserted")) == (200, 3)


async def test_chunked_bodies_are_read(here: House) -> None:
    async def drops() -> AsyncIterator[bytes]:
        for start in range(0, len(BODY), 5):
            yield BODY[start : start + 5]

    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=drops())
    assert (answer.status, answer.json.get("inserted")) == (200, 3)


async def test_expect_100_continue_is_answered(here: House) -> None:
    answer = await here.client.post(f"/v1/write/{here.workspace()}/d", data=BODY, expect100=True)
    assert (answer.status, answer.json.get("inserted")) == (200, 3)
