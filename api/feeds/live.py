"""Live events: every record that happened, from now on, behind the same gate as judge."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from api.feeds.sse import PIECE
from rules.envelope import ID_FIELD, Happened, Origin, Record
from rules.errors import Later
from rules.names import fold
from storage import quarantine
from storage.store import Store
from streams.awaiting import on_loop
from streams.log import Log, LogAway, LogOutOfRange
from streams.receipts import ASK_EVERY, Receipts
from streams.topics import EVENTS
from streams.wire import read_word

HELD: Final = 1024 * 1024
CHUNK: Final = 1024 * 1024
TOGETHER: Final = 5_000
AGAIN: Final = 0.5
"""Seconds until a log that did not answer is asked again."""

PATIENCE: Final = 0.25
"""Seconds that all wait for a reader who has as much as it may; it has them again once it has taken all."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, eq=False)
class Listener:
    """One reader. It holds 1 MB, or one event; past it `lost` is set and the stream ends, as at the stop."""

    workspace: str
    dataset: str | None
    waiting: deque[bytes] = field(default_factory=deque)
    held: int = 0
    lost: bool = False
    stopped: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    _taken: asyncio.Event = field(default_factory=asyncio.Event)
    _patience: float = PATIENCE

    def has_room(self, size: int) -> bool:
        """Return whether an event of so many bytes may be offered, or is not wanted any more."""
        return self.lost or self.stopped or not self.waiting or self.held + size <= HELD

    async def until_room(self, size: int) -> None:
        """Return once it has room for an event, or has used up the patience that all have with it."""
        clock = asyncio.get_running_loop().time
        while self._patience > 0 and not self.has_room(size):
            self._taken.clear()
            begun = clock()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await self._taken.wait()
            self._patience -= clock() - begun

    def offer(self, event: bytes) -> None:
        """Hand over an event, unless the reader is too slow."""
        if self.lost or not self.has_room(len(event)):
            self.lost = True
            self.waiting.clear()
        else:
            self.waiting.append(event)
            self.held += len(event)
        self.woken.set()

    def take(self) -> bytes:
        """Return the next piece of what waits, empty where nothing does."""
        taken: list[bytes] = []
        size = 0
        while self.waiting and (not taken or size + len(self.waiting[0]) <= PIECE):
            taken.append(self.waiting.popleft())
            size += len(taken[-1])
        self.held -= size
        self._taken.set()
        if not self.waiting:
            self._patience = PATIENCE
            self.woken.clear()
        return b"".join(taken)


class LiveEvents:
    """Follows `events` while anybody listens. Lives on one loop."""

    def __init__(self, log: Log, store: Store, receipts: Receipts) -> None:
        self._log = log
        self._store = store
        self._receipts = receipts
        self._listeners: set[Listener] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._news = [asyncio.Event() for _ in range(log.partitions)]
        self._unwatch: list[Callable[[], None]] = []

    def listen(self, workspace: str, dataset: str | None) -> Listener:
        """Begin to hand events to a new listener."""
        listener = Listener(fold(workspace), None if dataset is None else fold(dataset))
        if not self._listeners:
            self._begin()
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Hand nothing to it any more."""
        self._listeners.discard(listener)
        if not self._listeners:
            self.close()

    def close(self) -> None:
        """Follow no more; readers that are still there are let go."""
        for listener in self._listeners:
            listener.stopped = True
            listener.woken.set()
        while self._unwatch:
            self._unwatch.pop()()
        while self._tasks:
            self._tasks.pop().cancel()

    def _begin(self) -> None:
        self._unwatch = [self._log.watch(EVENTS, lambda partition: self._news[partition].set())]
        ends = [self._log.bounds(EVENTS, p)[1] for p in range(self._log.partitions)]
        self._tasks = [asyncio.create_task(self._follow(p, end)) for p, end in enumerate(ends)]

    async def _follow(self, partition: int, offset: int) -> None:
        last = (0, -1, -1)
        while True:
            self._news[partition].clear()
            try:
                try:
                    messages = await self._log.fetch(EVENTS, partition, offset, CHUNK)
                except LogOutOfRange:  # trimmed while nobody could read
                    offset = (await self._log.measure(EVENTS, partition))[0]
                    continue
            except LogAway:
                await asyncio.sleep(AGAIN)
                continue
            for message in messages:
                for entry in read_word(message.payload).entries:
                    if isinstance(entry, Happened):
                        await self._receipts.reached(partition, entry.offset)
                        await self._hand_out(partition, entry, last)
                        last = max(last, (entry.epoch, entry.offset, entry.items[-1]))
                offset = message.offset + 1
            if not messages:
                await self._news[partition].wait()

    async def _hand_out(self, partition: int, happened: Happened, last: tuple[int, int, int]) -> None:
        """Hand out what is above the last origin handed out; what is not is a repeat.

        A record that the database refused had its event already; as for rules, it did not happen.
        """
        workspace, dataset = fold(happened.workspace), fold(happened.dataset)
        wanting = [
            listener
            for listener in self._listeners
            if listener.workspace == workspace and listener.dataset in (None, dataset)
        ]
        if not wanting:
            return
        new = [one for one in _placed(partition, happened) if one.place > last]
        aside = await self._aside([one for one in new if happened.stored])
        for one in new:
            if aside.isdisjoint(one.names):
                body = {"workspace": happened.workspace, "dataset": happened.dataset, "record": one.record}
                event = b"event: record\ndata: " + _encode(body) + b"\n\n"
                full = [listener for listener in wanting if not listener.has_room(len(event))]
                if full:
                    await asyncio.gather(*(listener.until_room(len(event)) for listener in full))
                for listener in wanting:
                    listener.offer(event)

    async def _aside(self, records: list["_Placed"]) -> set[str]:
        """Return the names under which some of these records are set aside."""
        names = sorted({name for one in records for name in one.names})
        found: set[str] = set()
        for start in range(0, len(names), TOGETHER):
            part = names[start : start + TOGETHER]
            found |= await self._read(partial(_aside, part))
        return found

    async def _read(self, body: Callable[[Connection], set[str]]) -> set[str]:
        while True:
            try:
                return await on_loop(self._store.read(body))
            except Later:
                await asyncio.sleep(ASK_EVERY)


class _Placed(NamedTuple):
    """A record of a word: its origin without the partition, its own and its first origin's names, itself."""

    place: tuple[int, int, int]
    names: tuple[str, str]
    record: Record


def _aside(names: list[str], connection: Connection) -> set[str]:
    return quarantine.aside(connection, names)


def _placed(partition: int, happened: Happened) -> Iterator[_Placed]:
    for item, record in zip(happened.items, happened.records, strict=True):
        origin = Origin(happened.epoch, partition, happened.offset, item)
        place = (happened.epoch, happened.offset, item)
        yield _Placed(place, (origin.text(), str(record.get(ID_FIELD))), record)
