"""Failures in words that help the person who set a webhook up, and tell nobody more than that."""

import errno
import ssl
from asyncio import StreamWriter
from time import time

import pytest
from aiohttp import ClientConnectorCertificateError, ClientConnectorError, InvalidURL
from aiohttp.client_reqrep import ConnectionKey

from rules.errors import TARGET_REFUSED, Problem
from streams.delivery.failures import ERROR_CHARS, refusal, unwelcome, worded
from streams.delivery.targets import BlockedError
from streams.delivery.webhook import Webhooks, mint_secret
from tests.streams.delivery.receiver import scripted

KEY = ConnectionKey("hooks.example", 443, True, True, None, None, None)


def test_a_blocked_socket_is_a_refusal_and_says_why() -> None:
    failure = ClientConnectorError(KEY, BlockedError("private, 10.0.0.0/8"))
    assert refusal(failure)
    assert worded(failure) == (
        "Nothing was sent: the host leads to an address that may not be reached (private, 10.0.0.0/8)."
    )


def test_a_problem_is_a_refusal_in_its_own_words() -> None:
    failure = Problem(TARGET_REFUSED, "Not there.")
    assert refusal(failure)
    assert worded(failure) == "Not there."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "10.0.0.7:80"), "connection refused"),
        (OSError(errno.ENETUNREACH, "10.0.0.7:80"), "network is unreachable"),
        (OSError("Multiple exceptions: 10.0.0.7:80, 10.0.0.8:80"), "none of its addresses could be used"),
    ],
)
def test_a_connection_that_failed_tells_no_address(error: OSError, words: str) -> None:
    failure = ClientConnectorError(KEY, error)
    assert not refusal(failure)
    assert worded(failure) == f"No connection to the receiver: {words}."


def test_a_certificate_that_is_not_trusted_is_named_as_the_cause() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    failure = ClientConnectorCertificateError(KEY, error)
    assert worded(failure) == (
        "The receiver offers no TLS connection that can be trusted: self-signed certificate."
    )


async def test_a_connection_that_breaks_is_told_as_such() -> None:
    async def reset(writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        await writer.drain()
        writer.transport.abort()

    async with scripted(reset) as url, Webhooks(version="1", allow_private=True) as out:
        attempt = await out.attempt(url, mint_secret(), "n1", b"{}", time())
    assert attempt.status is None
    assert attempt.error in (
        "The receiver closed the connection before its answer ended.",
        "The connection to the receiver broke: Connection reset by peer.",
    )


def test_a_url_that_can_not_be_used_is_not_repeated() -> None:
    assert "private" not in worded(InvalidURL("http://x/private"))


def test_an_unknown_failure_tells_its_kind_alone() -> None:
    assert worded(RuntimeError("private")) == "The attempt failed (RuntimeError)."


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (302, "302 Found; redirects are not followed"),
        (410, "410 Gone: it wants no more deliveries"),
        (500, "500 Internal Server Error; only 2xx"),
        (599, "answered 599; only 2xx"),
    ],
)
def test_an_answer_is_worded_by_its_status(status: int, words: str) -> None:
    assert words in unwelcome(status)


def test_no_text_is_longer_than_200_characters() -> None:
    assert len(worded(Problem(TARGET_REFUSED, "x" * 1_000))) == ERROR_CHARS
