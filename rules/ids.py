"""Every deterministic id: the same cause gives the same id, on every host, after every crash."""

import base64
import math
import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b, sha256
from typing import Any, Final
from zlib import crc32

from rules.envelope import Origin

_WRITE_ID: Final = re.compile("[0-9a-f]{8}[0-7][0-9a-f]{23}")


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


def write_id(run: int, counter: int, seed: int, workspace: str) -> str:
    """Return the id of a write: 32 hex digits of lane run, counter, and a mark that it was given.

    `seed` is the database's own. The mark tells an id that was given to a write of this workspace from any
    other, so that who guesses another workspace's ids learns nothing; it guards nothing else, so it is a
    checksum: a keyed hash would take longer than all else that makes an id.
    """
    body = f"{run:08x}{counter:016x}"
    return f"{body}{crc32((body + workspace.lower()).encode(), seed):08x}"


def read_write_id(text: str) -> tuple[int, int] | None:
    """Return (run, counter) of a text that has the form of an id of a write, else None.

    No counter has more than 63 bits, nor does a column that is asked for one.
    """
    return run_and_counter(text) if _WRITE_ID.fullmatch(text) else None


def was_given(text: str, seed: int, workspace: str) -> bool:
    """Return whether `write_id` made this id of a write, with this seed and for this workspace."""
    numbers = read_write_id(text)
    return numbers is not None and write_id(*numbers, seed, workspace) == text


def run_and_counter(text: str) -> tuple[int, int]:
    """Return (run, counter) of an id that is known to be ours: it comes from the log."""
    return int(text[:8], 16), int(text[8:24], 16)


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


def point_key(moment: int, tags: bytes) -> bytes:
    """Return bytes that are equal if and only if two points of a measurement have the same time and tags.

    `moment` is in ns since 1970, `tags` what `tag_bytes` makes of those that the point has. A tag that it has
    not leaves no trace, so that keys stay as they are when the measurement gets another tag. They sort by
    time, so that what comes in the order of time goes to one end of the index.
    """
    return (moment + 2**63).to_bytes(8, "big") + tags


def tag_bytes(tags: Iterable[tuple[str, str]]) -> bytes:
    """Return the part of a point's key that stands for its tags, (name, value) sorted by name."""
    out = bytearray()
    for pair in tags:
        for text in pair:
            raw = text.encode("utf-8", "surrogatepass")
            out += len(raw).to_bytes(4, "big") + raw
    return bytes(out)


def _canonical_number(value: int | float) -> str:
    if isinstance(value, float):
        if math.isfinite(value) and value.is_integer():
            return str(int(value))
        return repr(value)
    return str(value)
