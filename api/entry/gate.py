"""Who is calling, and whether they may."""

import time
from collections.abc import Mapping
from typing import Final

from api.entry.credentials import carries, secret_of, secret_of_v1
from rules.errors import BAD_TOKEN, FORBIDDEN, NO_TOKEN, Problem
from rules.ids import token_hash
from rules.token import Scope, Token, may

ANYBODY = Token("anybody", frozenset({"admin"}), title="authentication is off")

SEEN: Final = 10_000
SHORT: Final = 200
"""Headers remembered with the token they carry, and the bytes one of them may have."""


class Gate:
    """The tokens this process knows, by the hash of their secret. With `off` everybody administers.

    The headers of known tokens are remembered, in memory only, until the tokens change: a hash takes longer
    than all else here. They are looked up by a hash that nobody outside can foretell.
    """

    def __init__(self, *, off: bool = False) -> None:
        self._off = off
        self._tokens: dict[str, Token] = {}
        self._seen: dict[bytes, Token] = {}
        self._at = 0

    def know(self, tokens: dict[str, Token], at: int = 0) -> None:
        """Replace what is known, unless that is of a later revision than `at`: who read it was overtaken."""
        if at < self._at:
            return
        self._at = at
        self._tokens = tokens
        self._seen.clear()

    def identify(self, headers: Mapping[bytes, bytes], query: bytes, *, passwords: bool = False) -> Token:
        """Return the caller's token; with `passwords` it may also come as InfluxDB 1's callers send it.

        Raises: Problem(no_token, bad_token).
        """
        if self._off:
            return ANYBODY
        header = None if passwords else headers.get(b"authorization")
        token = self._seen.get(header) if header is not None else None
        if token is None:
            token = self._find(secret_of_v1(headers, query) if passwords else secret_of(headers, query))
            # one that carries no token itself, and came beside one, stands for nobody
            if header is not None and carries(header) and len(self._seen) < SEEN and len(header) <= SHORT:
                self._seen[header] = token
        return _current(token)

    def known(self, secret: str | None) -> Token:
        """Return the token of a secret that came elsewhere: Apperate's rules have it in the body.

        Raises: Problem(no_token, bad_token).
        """
        return ANYBODY if self._off else _current(self._find(secret))

    def _find(self, secret: str | None) -> Token:
        if secret is None:
            raise Problem(NO_TOKEN, "Send a token: 'Authorization: Bearer …', 'x-api-key: …' or '?token=…'.")
        # looked up by its hash, so the time taken says nothing of how much of a guess was right
        token = self._tokens.get(token_hash(secret))
        if token is None:
            raise _unknown()
        return token

    def allow(self, token: Token, scope: Scope, workspace: str | None, dataset: str | None = None) -> None:
        """Let the token pass where `scope` is needed.

        Raises: Problem(forbidden).
        """
        if not may(token, scope, workspace, dataset):
            where = "everywhere" if workspace is None else workspace
            where += f"/{dataset}" if dataset else ""
            raise Problem(FORBIDDEN, f"The token {token.id} has no right to '{scope}' on {where}.")


def _current(token: Token) -> Token:
    if token.expires is not None and token.expires <= time.time():
        raise _unknown()
    return token


def _unknown() -> Problem:
    return Problem(BAD_TOKEN, "The token is not known, was revoked, or has expired.")
