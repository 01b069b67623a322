"""Requests at the write lane, made by hypothesis: what callers might send, and what none should."""

import gzip
import json
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Made:
    """One request. `body` comes in pieces; with `leaves` the caller is gone before the last one."""

    method: str
    path: str
    query: bytes
    headers: Headers
    body: tuple[bytes, ...]
    leaves: bool


_texts = st.text(max_size=12) | st.sampled_from(
    ["", "_id", "_time", "_x", "\x00", "\ud800", "2024-01-01", "2024-01-01T00:00:00Z", "9" * 400, "🜁" * 40]
)
_numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from([2**53 + 1, 2**63, -(2**63) - 1, 2**64 - 1, 2**64, 10**400, -0.0, 1e308, 5e-324])
)
_scalars = st.none() | st.booleans() | _numbers | _texts
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_records = st.dictionaries(_texts | st.sampled_from("abc"), _values, max_size=4)
_sound = st.lists(st.fixed_dictionaries({"n": st.integers(0, 9), "t": st.text("ab", max_size=3)}), max_size=5)
_json = (_sound | st.lists(_records | _values, max_size=4) | _records).map(
    lambda sent: json.dumps(sent).encode()
)
_lines = st.lists(_records | _values, max_size=4).map(
    lambda sent: b"\n".join(json.dumps(one).encode() for one in sent)
)
_deep = st.builds(
    lambda depth, inner: b"[" * depth + inner + b"]" * depth, st.integers(1, 3_000), st.just(b"1")
)
_numbers_written = st.sampled_from(
    [b"[1e999]", b'{"a":' + b"9" * 5_000 + b"}", b"[-]", b"[01]", b"[NaN]", b'{"a":1e-999}', b'["\\ud800"]']
)


@st.composite
def _bent(draw: st.DrawFn) -> bytes:
    """A body with a few bytes left out or put in."""
    body = bytearray(draw(_json | _lines))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


_bodies = _json | _lines | _bent() | st.binary(max_size=60) | _deep | _numbers_written
_packings: dict[bytes, Any] = {
    b"gzip": gzip.compress,
    b"x-gzip": lambda body: gzip.compress(body) + gzip.compress(b" "),
    b"deflate": zlib.compress,
    b"identity": bytes,
    b"br": bytes,
}
_kinds = st.sampled_from(
    [
        b"application/json",
        b"application/x-ndjson",
        b"",
        b"text/csv",
        b"a/b+json",
        b";",
        b"\xff",
        b"application/json;x=\xe9",
    ]
)
_names = st.sampled_from(
    [
        "wait",
        "event",
        "persist",
        "duplicateKeyHandling",
        "createDatasetOnDemand",
        "atomic",
        "timeout",
        "token",
    ]
)
_words = st.sampled_from(
    ["true", "false", "0", "1", "merge", "replace", "1e1", "-0", "NaN", "0.1", "١", "1_0"]
)
_noise = st.text("%&=+;#aA0/\x7f€", max_size=6)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@dataclass(frozen=True, slots=True)
class Head:
    """A request less its body; `encoding` is what its body says it is packed in, `packed` whether it is."""

    method: str
    path: str
    query: bytes
    headers: Headers
    encoding: bytes | None
    packed: bool


_METHODS = st.sampled_from(["POST"] * 40 + ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "x"])
_USUAL = st.builds("/w{}/d{}".format, st.integers(0, 2), st.integers(0, 40))
_ODD = st.lists(_texts.map(_quoted) | st.sampled_from([".", "..", "create", "_x"]), max_size=3).map("/".join)
_SELDOM = st.sampled_from([True] + [False] * 9)


@st.composite
def heads(draw: st.DrawFn, token: str) -> Head:
    """A head; most have a good token and lead to a dataset."""
    door = draw(st.sampled_from(["/v1/record", "/v1/write"]))
    path = door + ("/" + draw(_ODD) if draw(_SELDOM) else draw(_USUAL))
    pairs = (
        draw(st.lists(st.tuples(_names | _texts, _words | _texts), max_size=2)) if draw(st.booleans()) else []
    )
    query = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)
    query += draw(_noise) if draw(_SELDOM) else ""
    headers = [] if draw(_SELDOM) else [(b"authorization", b"Bearer " + token.encode())]
    if draw(_SELDOM):
        headers.append((b"content-type", draw(_kinds)))
    if draw(_SELDOM):
        headers.append(
            (b"idempotency-key", draw(st.binary(max_size=20) | st.sampled_from([b"k", b"x" * 300])))
        )
    if draw(_SELDOM):
        headers.append(
            (b"content-length", draw(st.sampled_from([b"0", b"-1", b"9" * 30, b"x", b"10485761"])))
        )
    encoding = draw(st.sampled_from(sorted(_packings))) if draw(_SELDOM) else None
    if encoding is not None:
        headers.append((b"content-encoding", encoding))
    return Head(
        draw(_METHODS), path, query.encode("utf-8", "replace"), tuple(headers), encoding, draw(st.booleans())
    )


@dataclass(frozen=True, slots=True)
class Body:
    """A body, where it is cut in two, and how much of it comes."""

    whole: bytes
    cut: int
    leaves: bool


bodies = st.builds(
    Body, _sound.map(lambda sent: json.dumps(sent).encode()) | _bodies, st.integers(0, 40), _SELDOM
)


def joined(head: Head, body: Body) -> Made:
    """Return the request that a head and a body make."""
    whole = body.whole
    if head.encoding is not None and head.packed:
        whole = _packings[head.encoding](whole)
    pieces = (whole[: body.cut], whole[body.cut :])
    return Made(head.method, head.path, head.query, head.headers, pieces, body.leaves)
