"""Where a request carries its token."""

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
