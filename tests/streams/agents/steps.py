"""A step that does what a test tells it, and the transport's half of the bargain with a partition's task."""

import asyncio
from collections import deque
from collections.abc import Sequence

from rules.signals import SilentMeter
from streams.agents.partition import Chunk, PartitionTask
from streams.log import Message


class ToldStep:
    """Applies messages by noting their offsets; raises what `trouble` holds first, one a call."""

    role = "told"

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.applied: list[int] = []
        self.calls = 0
        self.claims = 0
        self.trouble: deque[BaseException] = deque()
        self.claim_trouble: deque[BaseException] = deque()
        self.gate = asyncio.Event()
        self.gate.set()

    async def claim(self, partition: int) -> int:
        self.claims += 1
        if self.claim_trouble:
            raise self.claim_trouble.popleft()
        return self.start

    async def apply(self, partition: int, messages: Sequence[Message]) -> None:
        self.calls += 1
        await self.gate.wait()
        if self.trouble:
            raise self.trouble.popleft()
        self.applied.extend(message.offset for message in messages)


class Told:
    """A task over a `ToldStep`, with a word of why it stopped."""

    def __init__(self, step: ToldStep) -> None:
        self.step = step
        self.hurry = True
        self.stopped: list[str] = []
        self.task = PartitionTask(step, 0, lambda: None, lambda: self.hurry, SilentMeter())

    async def __aenter__(self) -> "Told":
        self.task.start(self.stopped.append)
        async with asyncio.timeout(5):
            await self.task.claimed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.task.end()

    def fetch(self, count: int) -> Chunk | None:
        """Do as the transport does: a chunk of `count` messages from where the task wants them."""
        offset = self.task.wanted
        if offset is None:
            return None
        self.task.fetched(offset + count)
        return Chunk(0, [Message(o, 0, b"") for o in range(offset, offset + count)])

    def give(self, count: int) -> bool:
        """Fetch and hand over at once; False where the task has no room."""
        chunk = self.fetch(count)
        if chunk is not None:
            self.task.give(chunk)
        return chunk is not None
