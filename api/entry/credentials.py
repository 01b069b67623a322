"""Where a request carries its token."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

_SCHEMES: Final = (b"bearer", b"token")


def carries(authorization: bytes) -> bool:
    """Return whether a value of Authorization has a scheme of ours, and so is where the token stands."""
    return authorization.strip().partition(b" ")[0].lower() in _SCHEMES


def secret_of(headers: Mapping[bytes, bytes], query: bytes) -> str | None:
    """Return the token's text: from Authorization (Bearer or Token), x-api-key, or the query; else None."""
    given = headers.get(b"authorization")
    if given is not None:
        scheme, _, rest = given.strip().partition(b" ")
        if scheme.lower() in _SCHEMES:
            return rest.strip().decode("latin-1") or None
    given = headers.get(b"x-api-key")
    if given is not None:
        return given.strip().decode("latin-1") or None
    if b"token=" in query:
        pairs = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        return pairs.get("token") or None
    return None


def secret_of_v1(headers: Mapping[bytes, bytes], query: bytes) -> str | None:
    """Return the token's text where InfluxDB 1's callers send it too: as a password; else None.

    That is Basic, `Token user:token`, or the query's `p`. The user is not looked at.
    """
    scheme, _, rest = headers.get(b"authorization", b"").strip().partition(b" ")
    if scheme.lower() == b"basic":
        try:
            pair = b64decode(rest.strip(), validate=True)
        except binascii.Error:
            return None
        return pair.partition(b":")[2].decode("latin-1") or None
    if scheme.lower() == b"token" and b":" in rest:
        return rest.partition(b":")[2].strip().decode("latin-1") or None
    found = secret_of(headers, query)
    if found is None and b"p=" in query:
        pairs = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        return pairs.get("p") or None
    return found
