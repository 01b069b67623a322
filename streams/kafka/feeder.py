"""The `alerts` topic: every stored notification, for those who read Kafka directly (streams/kafka/topics.md).

It is fed from the store, so that nothing that was raised is missing, in the order of the store's feed. Its
place is a row like the agents' own, held by the same right, so one process feeds at a time: `last` is the
place in the feed, `next` counts what was told. A crash between the append and the commit repeats some: their
ids tell.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final
from zlib import crc32

import msgspec
from sqlalchemy import Connection

from rules.errors import Later
from rules.names import fold
from rules.schema.moments import format_moment
from storage import alerts, offsets
from storage.alerts import Told
from storage.offsets import Place
from storage.restored import FEEDER
from storage.store import Store
from streams.agents.partition import Lost, Seek
from streams.awaiting import on_loop
from streams.kafka.outbox import MAX_MESSAGE_BYTES
from streams.log import Log, LogAway, LogError
from streams.positions import Hold, committed, take_over
from streams.topics import ALERTS

logger = logging.getLogger(__name__)

TOGETHER: Final = 500
TOGETHER_BYTES: Final = 1024 * 1024
LOOK_EVERY: Final = 1.0
"""Seconds between looks at the store where nobody woke it: another process may have raised alerts."""

LARGE: Final = ("event", "key", "message")
"""Of an alert, what holds a record's values: left out in this order where it is too large."""

_encode = msgspec.json.Encoder().encode


class Feeder:
    """Appends notifications to `alerts`. `mine` tells whether this process is the one to feed now."""

    def __init__(self, log: Log, store: Store, hold: Hold, mine: Callable[[], bool]) -> None:
        self._log = log
        self._store = store
        self._hold = hold
        self._mine = mine
        self._place: Place | None = None
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something to feed."""
        self._woken.set()

    async def run(self) -> None:
        """Feed, for ever."""
        while True:
            self._woken.clear()
            more = False
            try:
                if self._mine():
                    more = await self.feed()
            except (Lost, Seek):
                self._place = None  # another process feeds, or did: the row says how far
            except (Later, LogAway) as error:
                logger.debug("Alerts wait to be appended: %s", error)
            except LogError as error:
                logger.warning("Alerts wait to be appended: %s", error, extra={"action": "log_away"})
            if not more:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._woken.wait()

    async def feed(self) -> bool:
        """Append the next notifications, and return whether there may be more.

        Raises: Lost, Seek, Later, LogError: nothing is passed over then, some may be appended twice.
        """
        if self._place is None:
            self._place = await take_over(self._store, self._log, FEEDER, 0, self._hold, 0)
        place = self._place
        _, *at = place.last
        told, _ = await on_loop(
            self._store.read(lambda c: alerts.feed_of_all(c, (at[0], at[1]), TOGETHER, TOGETHER_BYTES))
        )
        if not told:
            return False
        await asyncio.gather(*(self._append(one) for one in told))
        after = replace(place, next=place.next + len(told), last=(0, *told[-1].place))

        def body(c: Connection) -> None:
            offsets.lock(c, place, place.next)
            offsets.advance(c, after)

        await committed(self._store.write(body))
        self._place = after
        return True

    async def _append(self, told: Told) -> None:
        workspace = msgspec.json.decode(told.body, type=_Whose).workspace
        await self._log.append(ALERTS, crc32(fold(workspace).encode()) % self._log.partitions, _message(told))


def _message(told: Told) -> bytes:
    """Return a notification as readers of the topic see it (topics.md).

    The texts of a record may have six times their bytes as JSON, so an alert may be larger than any message.
    """
    word = {"type": f"alert.{told.change}", "id": told.id, "timestamp": format_moment(told.at)}
    whole = _encode({**word, "data": msgspec.Raw(told.body.encode())})
    if len(whole) <= MAX_MESSAGE_BYTES:
        return whole
    alert = msgspec.json.decode(told.body)
    omitted: list[str] = []
    for name in LARGE:
        del alert[name]
        omitted.append(name)
        smaller = _encode({**word, "data": alert, "omitted": omitted})
        if len(smaller) <= MAX_MESSAGE_BYTES:
            break
    return smaller


class _Whose(msgspec.Struct):
    workspace: str
