"""Going through the blocks of a segment file."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from streams.embedded.frames import (
    BLOCK_HEAD_BYTES,
    BLOCK_MAGIC,
    Block,
    BlockHead,
    SegmentHead,
    read_block,
    read_block_head,
    read_segment_head,
    segment_head_bytes,
)
from streams.embedded.index import SegmentIndex
from streams.log import LogDamaged

WINDOW: Final = 256 * 1024
_SEARCH: Final = 1024 * 1024


def blocks(fd: int, salt: bytes, position: int, end: int) -> Iterator[Block]:
    """Yield the blocks from `position` to `end`, up to the first place that holds no whole one.

    Raises: OSError.
    """
    window, start = memoryview(b""), position
    while position < end:
        if position + BLOCK_HEAD_BYTES > start + len(window):
            window, start = _pread(fd, WINDOW, position, end), position
        head = read_block_head(window, position - start, salt, position)
        if head is None:
            return
        if head.end > start + len(window):
            window, start = _pread(fd, max(WINDOW, head.end - position), position, end), position
        block = read_block(window, position - start, head)
        if block is None:
            return
        yield block
        position = head.end


def scan(fd: int, path: Path, index: SegmentIndex, end: int) -> None:
    """Take into the index the blocks behind those it knows, up to `end`; its `size` is where they stop.

    Raises: LogDamaged where whole blocks contradict each other, OSError.
    """
    for block in blocks(fd, index.head.salt, index.size, end):
        try:
            block.check()
            index.add(block.head.end, block.head.stamp, block.rows())
        except ValueError as error:
            raise damaged(path, block.head.position, str(error)) from error


def later_block(fd: int, salt: bytes, position: int, end: int) -> BlockHead | None:
    """Return the head of a block that was begun after `position`, None if there is none.

    A block is begun only once the one before it is durable: what stands before such a head was whole.
    Raises: OSError.
    """
    while position + BLOCK_HEAD_BYTES <= end:
        window = os.pread(fd, min(_SEARCH, end - position), position)
        at = window.find(BLOCK_MAGIC)
        while at >= 0:
            data = _pread(fd, BLOCK_HEAD_BYTES, position + at, end)
            head = read_block_head(data, 0, salt, position + at)
            if head is not None:
                return head
            at = window.find(BLOCK_MAGIC, at + 1)
        # Windows overlap, so that no magic is cut in two.
        position += _SEARCH - len(BLOCK_MAGIC) + 1
    return None


def read_head(fd: int, path: Path, partitions: int) -> SegmentHead:
    """Return the head of a segment file. Raises: LogDamaged, OSError."""
    head = read_segment_head(os.pread(fd, segment_head_bytes(partitions), 0))
    if head is None:
        raise damaged(path, 0, "its head can't be read, or is of another version")
    return head


def damaged(path: Path, position: int, what: str) -> LogDamaged:
    """Return the error that names the place of a damage."""
    return LogDamaged(
        f"The log's file {path} is damaged at byte {position}: {what}. This is no torn last write; "
        f"bring the file back from a copy, or give the broker another data directory."
    )


def _pread(fd: int, length: int, position: int, end: int) -> memoryview:
    return memoryview(os.pread(fd, min(length, end - position), position))
