"""What went wrong with an attempt, in words for the person who set the webhook up.

No text holds the path or query of a target (they may be secrets), an address that a name led to, or
anything that the receiver wrote.
"""

from http import HTTPStatus
from os import strerror
from typing import Final

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientPayloadError,
    ClientResponseError,
    InvalidURL,
    ServerDisconnectedError,
)

from rules.errors import Problem
from streams.delivery.targets import BlockedError

ERROR_CHARS: Final = 200


def refusal(failure: Exception) -> bool:
    """Return whether it failed because the target may not be reached."""
    return isinstance(failure, Problem) or isinstance(_cause(failure), BlockedError)


def worded(failure: Exception) -> str:
    """Return what failed as a sentence of at most 200 characters."""
    return _sentence(failure)[:ERROR_CHARS]


def unwelcome(status: int) -> str:
    """Return a sentence for an answer that is not 2xx."""
    try:
        name = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        name = str(status)
    if 300 <= status <= 399:
        return f"The receiver answered {name}; redirects are not followed, so give the address it leads to."
    if status == HTTPStatus.GONE:
        return f"The receiver answered {name}: it wants no more deliveries."
    return f"The receiver answered {name}; only 2xx counts as received."


def _sentence(failure: Exception) -> str:
    cause = _cause(failure)
    match failure:
        case Problem():
            return failure.detail
        case ClientConnectorDNSError():
            return f"The receiver's host name can't be looked up: {cause.strerror or 'no answer'}."
        case ClientConnectorCertificateError() | ClientConnectorSSLError():
            return f"The receiver offers no TLS connection that can be trusted: {_tls_reason(cause)}."
        case ClientConnectorError() if isinstance(cause, BlockedError):
            return f"Nothing was sent: {cause.strerror} ({cause.reason})."
        case ClientConnectorError():
            return f"No connection to the receiver: {_reason(cause)}."
        case ServerDisconnectedError():
            return "The receiver closed the connection without an answer."
        case ClientPayloadError():
            return "The receiver closed the connection before its answer ended."
        case ClientResponseError():
            return "The receiver's answer is not valid HTTP."
        case InvalidURL():
            return "The webhook address can't be used as a URL; set another."
        case OSError():
            return f"The connection to the receiver broke: {failure.strerror or 'no reason given'}."
        case ValueError():
            return "The request can't be written; check the subscription's secret."
        case _:
            return f"The attempt failed ({type(failure).__name__})."


def _cause(failure: Exception) -> OSError:
    return failure.os_error if isinstance(failure, ClientConnectorError) else OSError()


def _reason(error: OSError) -> str:
    return strerror(error.errno).lower() if error.errno else "none of its addresses could be used"


def _tls_reason(error: OSError) -> str:
    text = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    return str(text).lower().replace("_", " ") if text else "the handshake failed"
