"""One webhook: its body, its signature by Standard Webhooks 1.0, and one attempt to hand it over."""

import hmac
from asyncio import get_running_loop, timeout
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes
from types import TracebackType
from typing import Any, Final, Literal, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, StreamReader
from aiohttp.abc import AbstractResolver
from msgspec import Raw
from msgspec.json import encode

from rules.errors import Problem
from rules.limits import KB
from rules.schema.moments import format_moment
from streams.delivery.failures import refusal, unwelcome, worded
from streams.delivery.lookup import Lookup
from streams.delivery.retry_after import seconds_asked
from streams.delivery.targets import check_url, guarded_connector

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret starts with
SECRET_BYTES: Final = 32
ANSWER_BYTES: Final = 16 * KB


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt went. `error` is None if and only if the receiver took it (2xx).

    `status` is that of an answer that was complete, or longer than we read. `retry_after` (seconds from now)
    is what the receiver asked for, `seconds` how long it all took. `refused`: nothing was sent, since the
    target may not be reached.
    """

    status: int | None
    error: str | None
    retry_after: float | None
    seconds: float
    refused: bool = False


def mint_secret() -> str:
    """Return a new secret: `whsec_` and the base64 of 32 random bytes."""
    return SECRET_PREFIX + b64encode(token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return `v1,` and the base64 of HMAC-SHA256 over `{message_id}.{timestamp}.{body}`.

    `timestamp` is in Unix seconds. Raises: ValueError if the secret is not `whsec_` and base64.
    """
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if encoded == secret or not key:
        raise ValueError(f"A webhook secret is {SECRET_PREFIX!r} and base64; this one is not.")
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return "v1," + b64encode(hmac.digest(key, signed, sha256)).decode()


def webhook_body(change: Literal["firing", "resolved"], at: int, alert: Mapping[str, Any] | Raw) -> bytes:
    """Return the JSON that a notification is sent as; `at` (ns since 1970) is when the alert changed.

    `alert` is what the API shows, or its JSON, which goes in as it is. The same arguments give the same
    bytes, so a repeat is a repeat.
    """
    return encode({"type": f"alert.{change}", "timestamp": format_moment(at), "data": alert})


class Webhooks:
    """Makes attempts over one bounded pool of connections; use it as an async context manager.

    No proxy of the environment, no cookies, no redirects: nothing but the target's own answer counts.
    """

    def __init__(
        self,
        *,
        version: str,
        allow_private: bool = False,
        deadline: float = 15.0,
        connections: int = 64,
        per_host: int = 16,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`version` is ours, for the User-Agent; `deadline` is in seconds and covers a whole attempt."""
        self._agent = f"Sluice/{version}"
        self._allow_private = allow_private
        self._deadline = deadline
        self._connections = connections
        self._per_host = per_host
        self._given_resolver = resolver
        self._session: ClientSession | None = None
        self._lookup: Lookup | None = None

    async def __aenter__(self) -> Self:
        self._lookup = Lookup(self._connections)
        self._session = ClientSession(
            connector=guarded_connector(
                self._allow_private,
                connections=self._connections,
                per_host=self._per_host,
                resolver=self._given_resolver or self._lookup,
            ),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=None),
            trust_env=False,
            auto_decompress=False,
            read_bufsize=ANSWER_BYTES,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
        if self._lookup is not None:
            await self._lookup.close()

    async def attempt(self, url: str, secret: str, notification_id: str, body: bytes, now: float) -> Attempt:
        """Send `body` once, signed as of `now` (Unix seconds), and say how it went; never raises for that.

        One deadline covers the look-up, the connection, sending, and the whole answer, of which at most 16 KB
        are read. An answer that does not end in time has failed, whatever its status.
        """
        clock = get_running_loop().time
        started = clock()
        try:
            check_url(url, self._allow_private)
            headers = self._headers(secret, notification_id, int(now), body)
            async with timeout(self._deadline):
                status, asked = await self._post(url, headers, body)
        except TimeoutError:
            error = f"The receiver did not answer in full within {self._deadline:g} seconds."
            return Attempt(None, error, None, clock() - started)
        except (Problem, ClientError, OSError, ValueError) as failure:
            return Attempt(None, worded(failure), None, clock() - started, refusal(failure))
        seconds = clock() - started
        if 200 <= status <= 299:
            return Attempt(status, None, None, seconds)
        return Attempt(status, unwelcome(status), seconds_asked(asked, now + seconds), seconds)

    def _headers(self, secret: str, notification_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "User-Agent": self._agent,
            "Accept-Encoding": "identity",
            "webhook-id": notification_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secret, notification_id, timestamp, body),
        }

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str | None]:
        if self._session is None:
            raise RuntimeError("Webhooks must be entered (async with) before attempts are made.")
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            if not await _skim(answer.content):
                answer.close()
            return answer.status, answer.headers.get("Retry-After")


async def _skim(content: StreamReader) -> bool:
    """Read and forget at most 16 KB; return whether that was all."""
    left = ANSWER_BYTES
    while left > 0:
        chunk = await content.read(left)
        if not chunk:
            return True
        left -= len(chunk)
    return content.at_eof()
