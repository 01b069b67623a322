"""A source's bytes from the log, in blocks, at a pace that leaves the loop to those who write live."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import perf_counter
from typing import Final

from api.decode.blocks import Block, Place
from api.decode.sniff import HEAD, Form, blocks_of, sniff
from rules.job import Mark, Source
from rules.limits import MB, Limits
from streams.log import Log
from streams.topics import UPLOADS

SHARE: Final = 10.0
LONGEST_REST: Final = 0.05
"""After a piece of work we rest at the most so many times as long as it took, and so many seconds."""

LOOK_EVERY: Final = 0.002


class Pace:
    """Gives way: after each piece of work others have their turn.

    Where `busy` says that requests are under way we wait for them, for a bounded time.
    """

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._busy = busy
        self._begun = perf_counter()

    def begin(self) -> None:
        """Begin a piece of work: what was waited for before is nobody's."""
        self._begun = perf_counter()

    async def give_way(self) -> None:
        """Let others have their turn."""
        now = perf_counter()
        end = now + min(LONGEST_REST, (now - self._begun) * SHARE)
        await asyncio.sleep(0)
        while self._busy() and perf_counter() < end:  # noqa: ASYNC110 - who is busy has no event for it
            await asyncio.sleep(LOOK_EVERY)
        self._begun = perf_counter()


async def form_of(log: Log, partition: int, source: Source, limits: Limits) -> Form:
    """Return the format of a source, told from its beginning.

    Raises: BrokenError, LogError.
    """
    head = b""
    async for chunk in chunks(log, partition, source, 0):
        head += chunk
        if len(head) >= HEAD:
            break
    return sniff(head[:HEAD], limits)


async def read_blocks(
    log: Log, partition: int, source: Source, form: Form, mark: Mark, limits: Limits, pace: Pace
) -> AsyncIterator[Block]:
    """Yield the blocks of a source from a mark on.

    Raises: BrokenError where the text can't be read on, LogError.
    """
    begin = form.begin
    if mark.begun:
        begin = Place(mark.at, mark.index, mark.line, mark.block, mark.ended)
    blocks = blocks_of(form, begin, limits)
    async for chunk in chunks(log, partition, source, begin.at):
        blocks.feed(chunk)
        pace.begin()
        while (block := blocks.next()) is not None:
            await pace.give_way()
            yield block
            pace.begin()
    blocks.end()
    while (block := blocks.next()) is not None:
        await pace.give_way()
        yield block
        pace.begin()


async def chunks(log: Log, partition: int, source: Source, begin: int) -> AsyncIterator[bytes]:
    """Yield a source's bytes from byte `begin` on, as they stand in the log. Raises: LogError."""
    at = 0
    for first, count, size in source.runs:
        offset = first
        if at + count * size <= begin:
            at += count * size
            continue
        if begin > at:
            offset += (begin - at) // size
            at += (begin - at) // size * size
        while offset < first + count:
            for message in await log.fetch(UPLOADS, partition, offset, MB):
                if message.offset >= first + count:
                    break
                skip = max(0, begin - at)
                yield message.payload[skip:] if skip else message.payload
                at += size
                offset = message.offset + 1
