"""Bodies that come apart: many gzip members, what stands behind a deflate stream, bombs."""

import gzip
import zlib
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.entry.body import receive_body
from api.entry.inflating import Inflating
from api.entry.inflight import Inflight
from rules.errors import Problem

MB = 1024 * 1024
BODY = b'[{"a": 1}]'


async def received(body: bytes, encoding: bytes, most: int = 50 * MB) -> bytes:
    """Return what becomes of a body that came in one piece."""

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    held = Inflight(1024 * MB).hold("w", 0)
    return await receive_body(receive, {b"content-encoding": encoding}, held, 10 * MB, most)


async def refused(body: bytes, encoding: bytes, most: int = 50 * MB) -> str:
    with pytest.raises(Problem) as told:
        await received(body, encoding, most)
    return told.value.code.name


async def test_a_thousand_gzip_members_are_read_and_one_more_is_refused() -> None:
    member = gzip.compress(b"x")
    assert await received(member * 1_000, b"gzip") == b"x" * 1_000
    assert await refused(member * 1_001, b"gzip") == "bad_encoding"
    # empty members cost as much to begin, and none of the limits on bytes would ever stop them
    assert await refused(gzip.compress(b"") * 1_001, b"gzip") == "bad_encoding"


async def test_any_number_of_members_is_read_that_have_something_in_them() -> None:
    member = gzip.compress(b"x" * 1_024)
    assert await received(member * 5_000, b"gzip") == b"x" * 1_024 * 5_000


async def test_an_empty_body_is_empty_whatever_its_encoding() -> None:
    for encoding in (b"gzip", b"deflate", b"identity"):
        assert await received(b"", encoding) == b""


@given(
    parts=st.lists(st.binary(max_size=3_000), min_size=1, max_size=5),
    every=st.integers(1, 700),
    cut=st.integers(1, 12),
)
async def test_however_a_body_comes_apart_the_same_comes_out_and_cut_short_none(
    parts: list[bytes], every: int, cut: int
) -> None:
    packed = b"".join(map(gzip.compress, parts))

    def out(body: bytes) -> bytes:
        inflating = Inflating(b"gzip")
        pieces = [body[at : at + every] for at in range(0, len(body), every)]
        whole = b"".join(piece for part in pieces for piece in inflating.pieces(part))
        inflating.end()
        return whole

    assert out(packed) == b"".join(parts)
    with pytest.raises(Problem, match="bad_encoding"):
        out(packed[:-cut])


@pytest.mark.parametrize("behind", [b"x", b"\x00", BODY, zlib.compress(BODY), b"\x00" * 100_000])
async def test_what_stands_behind_a_deflate_stream_is_refused(behind: bytes) -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    raw = packer.compress(BODY) + packer.flush()
    for whole in (zlib.compress(BODY), raw):
        assert await received(whole, b"deflate") == BODY
        assert await refused(whole + behind, b"deflate") == "bad_encoding"


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
async def test_a_bomb_is_put_down_at_the_limit_and_not_after_it(encoding: bytes) -> None:
    pack = gzip.compress if encoding == b"gzip" else zlib.compress
    bomb = pack(b" " * (200 * MB))
    assert len(bomb) < MB
    held = Inflight(1024 * MB)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": bomb, "more_body": False}

    holding = held.hold("w", 0)
    with pytest.raises(Problem) as told:
        await receive_body(receive, {b"content-encoding": encoding}, holding, 10 * MB, MB)
    assert told.value.code.name == "body_too_large"
    assert held.total <= len(bomb) + 2 * MB
