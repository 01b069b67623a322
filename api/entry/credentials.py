"""Where a request carries its token."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

_SCHEMES: Final = (b"bearer", b"token")


def secret_of(headers: Iterable[tuple[bytes, bytes]], query: bytes) -> str | None:
    """Return the token's text: from Authorization (Bearer or Token), x-api-key, or the query; else None."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, rest = value.strip().partition(b" ")
            if scheme.lower() in _SCHEMES:
                return rest.strip().decode("latin-1") or None
        elif name == b"x-api-key":
            return value.strip().decode("latin-1") or None
    if b"token=" in query:
        pairs = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        return pairs.get("token") or None
    return None
