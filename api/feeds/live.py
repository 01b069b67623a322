"""Live events: every record that happened, from now on, behind the same gate as judge."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from api.feeds.sse import PIECE
from rules.envelope import Happened
from rules.names import fold
from streams.log import Log, LogError
from streams.receipts import Receipts
from streams.topics import EVENTS
from streams.wire import read_word

HELD: Final = 1024 * 1024
CHUNK: Final = 1024 * 1024

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, eq=False)
class Listener:
    """One reader. It holds 1 MB at the most; past it `lost` is set and the stream ends."""

    workspace: str
    dataset: str | None
    waiting: deque[bytes] = field(default_factory=deque)
    held: int = 0
    lost: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, event: bytes) -> None:
        """Hand over an event, unless the reader is too slow."""
        if self.lost or self.held + len(event) > HELD:
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
        if not self.waiting:
            self.woken.clear()
        return b"".join(taken)


class LiveEvents:
    """Follows `events` while anybody listens. Lives on one loop."""

    def __init__(self, log: Log, receipts: Receipts) -> None:
        self._log = log
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
            listener.lost = True
            listener.woken.set()
        while self._unwatch:
            self._unwatch.pop()()
        while self._tasks:
            self._tasks.pop().cancel()

    def _begin(self) -> None:
        self._unwatch = [
            self._log.watch(EVENTS, lambda partition: self._news[partition].set()),
            self._receipts.on_passed(lambda partition: self._news[partition].set()),
        ]
        ends = [self._log.bounds(EVENTS, p)[1] for p in range(self._log.partitions)]
        self._tasks = [asyncio.create_task(self._follow(p, end)) for p, end in enumerate(ends)]

    async def _follow(self, partition: int, offset: int) -> None:
        last = (0, -1, -1)
        while True:
            self._news[partition].clear()
            try:
                messages = await self._log.fetch(EVENTS, partition, offset, CHUNK)
            except LogError:
                offset = self._log.bounds(EVENTS, partition)[0]
                continue
            for message in messages:
                for entry in read_word(message.payload).entries:
                    if isinstance(entry, Happened):
                        await self._gate(partition, entry.offset)
                        self._hand_out(entry, last)
                        last = max(last, (entry.epoch, entry.offset, entry.items[-1]))
                offset = message.offset + 1
            if not messages:
                await self._news[partition].wait()

    async def _gate(self, partition: int, origin: int) -> None:
        while self._receipts.committed(partition) <= origin:
            self._news[partition].clear()
            await self._news[partition].wait()

    def _hand_out(self, happened: Happened, last: tuple[int, int, int]) -> None:
        """Hand out what is above the last origin handed out; what is not is a repeat."""
        workspace, dataset = fold(happened.workspace), fold(happened.dataset)
        wanting = [
            listener
            for listener in self._listeners
            if listener.workspace == workspace and listener.dataset in (None, dataset)
        ]
        if wanting:
            for item, record in zip(happened.items, happened.records, strict=True):
                if (happened.epoch, happened.offset, item) <= last:
                    continue
                body = {"workspace": happened.workspace, "dataset": happened.dataset, "record": record}
                event = b"event: record\ndata: " + _encode(body) + b"\n\n"
                for listener in wanting:
                    listener.offer(event)
