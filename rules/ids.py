"""Every deterministic id: the same cause gives the same id, on every host, after every crash."""

import base64
import hmac
import math
from collections.abc import Sequence
from hashlib import blake2b, sha256
from typing import Any, Final

from rules.envelope import Origin

_MAC_BYTES: Final = 4


def digest(*parts: bytes, size: int = 16) -> str:
    """Return a lower-case base32 hash of the parts; each is prefixed by its length, so none run together."""
    h = blake2b(digest_size=size)
    for part in parts:
        h.update(len(part).to_bytes(4, "big"))
        h.update(part)
    return base64.b32hexencode(h.digest()).decode().rstrip("=").lower()


def alert_id(workspace: str, rule: str, version: int, key: bytes, origin: Origin) -> str:
    """Return the id of the alert that the record at `origin` opens for one value of the rule's key.

    `key` is `canonical_key` of the key's values, empty without a key.
    """
    return "a" + digest(workspace.lower().encode(), rule.encode(), b"%d" % version, key, origin.packed())


def notification_id(alert: str, change: str, sequence: int) -> str:
    """Return the id of one change of an alert; of the first firing it is the alert's own."""
    if change == "firing" and sequence == 0:
        return alert
    return "n" + digest(alert.encode(), change.encode(), b"%d" % sequence)


def write_id(run: int, counter: int, secret: bytes) -> str:
    """Return the id of a write: 32 hex digits of lane run, counter, and a proof that it was given."""
    body = run.to_bytes(4, "big") + counter.to_bytes(8, "big")
    return (body + _mac(body, secret)).hex()


def read_write_id(text: str, secret: bytes) -> tuple[int, int] | None:
    """Return (run, counter) of an id that `write_id` gave with this secret, else None."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    if len(raw) != 16 or text != raw.hex() or not hmac.compare_digest(_mac(raw[:12], secret), raw[12:]):
        return None
    return int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:12], "big")


def run_and_counter(text: str) -> tuple[int, int]:
    """Return (run, counter) of an id that is known to be ours: it comes from the log."""
    return int(text[:8], 16), int(text[8:24], 16)


def _mac(body: bytes, secret: bytes) -> bytes:
    return blake2b(body, digest_size=_MAC_BYTES, key=secret[:64]).digest()


def token_hash(secret: str) -> str:
    """Return what the store keeps of a token. Tokens are 32 random bytes, so a plain hash is enough."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def canonical_key(values: Sequence[Any]) -> bytes:
    """Return bytes that are equal if and only if the key values are: null, booleans, numbers, texts.

    Numbers compare as JSON numbers (1 and 1.0 are one key, True and 1 are two). The encoding is
    self-delimiting, so `("ab", "c")` and `("a", "bc")` differ.
    """
    out = bytearray()
    for value in values:
        if value is None:
            out += b"n"
        elif value is True or value is False:
            out += b"t" if value else b"f"
        elif isinstance(value, str):
            raw = value.encode("utf-8", "surrogatepass")
            out += b"s" + len(raw).to_bytes(4, "big") + raw
        else:
            raw = _canonical_number(value).encode()
            out += b"i" + len(raw).to_bytes(2, "big") + raw
    return bytes(out)


def _canonical_number(value: int | float) -> str:
    if isinstance(value, float):
        if math.isfinite(value) and value.is_integer():
            return str(int(value))
        return repr(value)
    return str(value)
