"""How far persist has come, and who has new alerts, told between processes: the `receipts` topic.

The store is what knows. A receipt only wakes: it may be lost or come twice. So it is written with the
leader's word alone and nobody waits for it; and each process asks the store all the same, once a second and,
while anybody waits, oftener (`streams.receipts`).
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from rules.errors import Later
from storage import offsets
from storage.store import Store
from streams.awaiting import on_loop
from streams.kafka.log import KafkaLog
from streams.kafka.poller import Poller
from streams.kafka.reader import Fetched
from streams.log import LogError
from streams.receipts import Receipts
from streams.topics import RECEIPTS

logger = logging.getLogger(__name__)

ASK_EVERY: Final = 1.0
LONGEST: Final = 0.5
MANY: Final = 64 * 1024
MOST_NAMED: Final = 1_000
"""Workspaces that one message names: it stays below what a fetch brings."""
_VERSION: Final = b"\x01"


class _Receipt(msgspec.Struct, array_like=True, frozen=True):
    """Who stored, and the offset below which everything in the message's partition is.

    Or who raised alerts, and in which workspaces (folded); it says nothing of offsets then.
    """

    process: bytes
    next: int
    raised: list[str] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Receipt).decode


class Progress:
    """Tells other processes what this one stored and raised, and this one what others did.

    `heard` is called with workspaces in which others raised alerts. Lives on one loop.
    """

    def __init__(
        self, log: KafkaLog, store: Store, receipts: Receipts, heard: Callable[[set[str]], None]
    ) -> None:
        self._log = log
        self._store = store
        self._receipts = receipts
        self._hear = heard
        self._us = secrets.token_bytes(8)
        self._latest: dict[int, int] = {}
        self._telling: dict[int, asyncio.Future[int]] = {}
        self._raised: set[str] = set()
        self._raising: asyncio.Future[int] | None = None
        self._poller = Poller(log.connection, log.name_of(RECEIPTS))

    async def run(self) -> None:
        """Tell, listen and ask, for ever."""
        end = self._receipts.on_stored(self._stored)
        listening = asyncio.create_task(self._listen(), name="receipts-tail")
        try:
            while True:
                with suppress(Later):
                    await self._ask()
                await asyncio.wait({listening}, timeout=ASK_EVERY)
                if listening.done():
                    listening.result()
        finally:
            end()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self._poller.close()

    def raised(self, workspaces: set[str]) -> None:
        """Say that this process has raised alerts; one message is under way, the next follows it."""
        self._raised |= workspaces
        if self._raising is None:
            self._tell_raised()

    def _tell_raised(self) -> None:
        named = sorted(self._raised)[:MOST_NAMED]
        self._raised.difference_update(named)
        self._raising = self._log.append(RECEIPTS, 0, _VERSION + _encode(_Receipt(self._us, 0, named)))
        self._raising.add_done_callback(self._told_raised)

    def _told_raised(self, sent: "asyncio.Future[int]") -> None:
        failed = sent.cancelled() or sent.exception() is not None
        self._raising = None
        if failed:
            self._raised.clear()  # who follows a feed looks for itself each second
        elif self._raised:
            self._tell_raised()

    def _stored(self, partition: int, next_offset: int) -> None:
        """Say that this process has stored; one message a partition is under way, the newest follows it."""
        self._latest[partition] = next_offset
        if partition not in self._telling:
            self._tell(partition)

    def _tell(self, partition: int) -> None:
        receipt = _Receipt(self._us, self._latest.pop(partition))
        sent = self._log.append(RECEIPTS, partition, _VERSION + _encode(receipt))
        self._telling[partition] = sent
        sent.add_done_callback(lambda future: self._told(partition, future))

    def _told(self, partition: int, sent: "asyncio.Future[int]") -> None:
        failed = sent.cancelled() or sent.exception() is not None
        del self._telling[partition]
        if partition in self._latest and not failed:
            self._tell(partition)

    async def _listen(self) -> None:
        name = self._log.name_of(RECEIPTS)
        at = {(name, p): self._log.bounds(RECEIPTS, p)[1] for p in range(self._log.partitions)}
        while True:
            self._poller.begin(at, MANY, LONGEST)
            for place, (offset, one) in (await self._poller.wait(asyncio.Event(), LONGEST)).items():
                if isinstance(one, Fetched) and offset == at[place]:
                    for message in one.messages:
                        at[place] = message.offset + 1
                        self._heard(place[1], message.payload)
                elif isinstance(one, LogError):
                    # kept an hour: who slept longer goes on at the end
                    with suppress(LogError):
                        at[place] = (await self._log.measure(RECEIPTS, place[1]))[1]

    def _heard(self, partition: int, payload: bytes) -> None:
        with suppress(msgspec.DecodeError):
            receipt = _decode(payload.removeprefix(_VERSION))
            if receipt.process == self._us:
                return
            if receipt.raised:
                self._hear(set(receipt.raised))
            else:
                self._receipts.heard(partition, receipt.next)

    async def _ask(self) -> None:
        identity = self._log.identity
        for place in await on_loop(self._store.read(lambda c: offsets.places(c, identity))):
            if place.role == "persist":
                self._receipts.passed(place.partition, place.next)
