"""The JSON door's way from bytes to records that may be stored. Run: `python -m tests.fuzz json_door`."""

import json
import math
from typing import Any, Final

import msgspec

from api.decode.records import Decoded, decode
from rules.errors import Problem
from rules.limits import Limits
from rules.schema.check import Checker, Verdict
from rules.schema.declare import on_demand
from streams.wire import encode_record

LIMITS: Final = Limits()
KINDS: Final = (None, b"application/json", b"application/x-ndjson", b"text/plain; charset=x", b"a/b+json")
SEEDS: Final = (
    b'\x01[{"a": 1, "b": [true, null, {"c": "\\u00e9"}]}, {"a": 2.5}]',
    b'\x01{"at": "2024-02-29T23:59:60Z", "day": "1600-01-01", "n": 9007199254740993}',
    b'\x02{"a": 1}\n\n{"a": "x"}\nnonsense\n[1]\n',
    b'\x01[{"_id": 1, "_x": 2, "": 3, "a\\u0000": "\\ud83d\\ude00"}, 17, null, {"a": 18446744073709551616}]',
    b"\x01" + b"[" * 80 + b"]" * 80,
    b'\x01{"a": "\\ud800"}',
    b'\x01[1, -1e400, {"a": ["\\udc00"]}, {"\\ud83d\\ude00": "]"}, "\\ud800\\ud800\\udc00" ]',
    b"\x01[1e308, 1e-400, -0.0, 123456789012345678901234567890]",
)


def target(data: bytes) -> None:
    """Decode and check `data` as a write would. Raises: AssertionError where a law is broken."""
    kind, body = KINDS[data[0] % len(KINDS)] if data else None, data[1:]
    try:
        decoded = decode(body, kind, LIMITS)
    except Problem as problem:
        assert 400 <= problem.code.status < 500, problem.code
        json.dumps(problem.detail).encode()
        return
    if kind != b"application/x-ndjson":
        theirs = _listed(json.loads(body))
        taken = range(len(theirs)) if decoded.indexes is None else decoded.indexes
        assert alike(decoded.records, [theirs[index] for index in taken]), "another parser reads it otherwise"
        # of a name that comes twice the first value counts here too
        held = _listed(json.loads(body, object_pairs_hook=lambda pairs: {"": [*map(list, pairs)]}))
        refused = [one for index, one in enumerate(held) if index not in set(taken)]
        assert len(refused) == decoded.refused and all(map(_unkept, refused)), "it could have been taken"
    _check(decoded)


def _check(decoded: Decoded) -> None:
    """What a new dataset accepts it accepts again once it is made, and it comes back from the wire."""
    blank = on_demand("w", "d", 1)
    checker = Checker(blank, LIMITS)
    verdict = checker.check(list(decoded.records), plain=decoded.plain)
    _counted(verdict, len(decoded.records))
    assert not checker.check(list(decoded.records), plain=False).refused < verdict.refused
    made = on_demand("w", "d", 1, verdict.additions)
    again = Checker(made, LIMITS).check(list(verdict.records), plain=decoded.plain)
    assert again.refused == 0, again.refusals
    assert not again.additions, again.additions
    for record in verdict.records:
        assert msgspec.msgpack.decode(encode_record(record)) == record


def _counted(verdict: Verdict, sent: int) -> None:
    assert len(verdict.records) + verdict.refused == sent
    assert len(verdict.accepted or ()) in (0, len(verdict.records))
    for refusal in verdict.refusals:
        assert 0 <= refusal.index < sent
        msgspec.json.encode(refusal.to_json())


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unkept(value: Any) -> bool:
    """Whether a value holds what no record may: an infinity, or text that is not UTF-8."""
    if isinstance(value, dict):
        return any(_unkept(name) or _unkept(one) for name, one in value.items())
    if isinstance(value, list):
        return any(map(_unkept, value))
    if isinstance(value, str):
        return not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value)
    return isinstance(value, float) and math.isinf(value)


def alike(ours: Any, theirs: Any) -> bool:
    """Whether two parsers read the same; integers past 64 bits are doubles to ours."""
    if isinstance(ours, float) or isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-15, abs_tol=5e-324)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(alike(ours[name], theirs[name]) for name in ours)
    return type(ours) is type(theirs) and bool(ours == theirs)
