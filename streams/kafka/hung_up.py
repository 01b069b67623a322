"""A request to a broker that has just hung up is a lost connection under uvloop too.

Where a transport is closed already, uvloop raises RuntimeError for a write, asyncio does not; aiokafka 0.14
expects OSError alone (https://github.com/aio-libs/aiokafka/issues/1038, open). The error passed through all
of its retries, and ended workers and producers that would have gone on with the next broker.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

Send = Callable[..., Any]

_SENDS: Final = ("send", "_send_sasl_token")
_MENDED: Final[set[str]] = set()


def _lost(send: Send) -> Send:
    @wraps(send)
    def sending(connection: AIOKafkaConnection, *args: Any, **kwargs: Any) -> Any:
        try:
            return send(connection, *args, **kwargs)
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"the broker hung up: {error}") from error

    return sending


def mend() -> None:
    """Have every connection of aiokafka in this process raise KafkaConnectionError for it. Once is enough."""
    for name in _SENDS:
        send = getattr(AIOKafkaConnection, name)
        if name not in _MENDED:
            _MENDED.add(name)
            setattr(AIOKafkaConnection, name, _lost(send))
