"""One segment file: made, recovered, appended to, read."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.embedded.disk import Disk, no_room, place_file
from streams.embedded.frames import (
    MAX_BLOCK_BYTES,
    Entry,
    SegmentHead,
    encode_block,
    encode_segment_head,
)
from streams.embedded.index import Extent, SegmentIndex, read_index
from streams.embedded.scan import blocks, damaged, later_block, read_head, scan
from streams.log import LogRefused, Message

_SCAN_BYTES: Final = 4 * 1024 * 1024
"""A read that has found something looks at no more of the file than this."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment that is no longer written."""

    path: Path
    head: SegmentHead
    extent: Extent


class Active:
    """The segment that is written: by one thread, with `index` for all who read."""

    __slots__ = ("_disk", "_fd", "head", "index", "path")

    def __init__(self, path: Path, fd: int, index: SegmentIndex, disk: Disk) -> None:
        self.path = path
        self.head = index.head
        self.index = index
        self._fd = fd
        self._disk = disk

    def append(self, entries: Sequence[Entry], stamp: int) -> None:
        """Write one block and return once it is durable; only then the index knows it.

        Raises: LogRefused where the disk is full (the file is as it was), OSError where nobody knows
        what is on the disk.
        """
        size = self.index.size
        data = encode_block(entries, stamp, self.head.salt, size)
        try:
            self._disk.write(self._fd, data, size)
        except OSError as error:
            os.ftruncate(self._fd, size)
            if no_room(error):
                raise LogRefused(
                    f"The disk has no room for the log's file {self.path}: {error.strerror}. Free some space."
                ) from error
            raise
        try:
            self._disk.sync(self._fd)
        except OSError:
            # What the next start sees may be in the cache only and vanish later, from before what follows it.
            with suppress(OSError):
                os.ftruncate(self._fd, size)
            raise
        self.index.add(size + len(data), stamp, entries)

    def sealed(self) -> Sealed:
        """Return what it is once nobody writes it any more."""
        return Sealed(self.path, self.head, self.index.extent)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def make_segment(path: Path, head: SegmentHead, disk: Disk) -> Active:
    """Make the file of a new segment, durably. Raises: LogRefused (no room), OSError."""
    place_file(disk, path, encode_segment_head(head))
    return Active(path, os.open(path, os.O_RDWR), SegmentIndex(head), disk)


def recover_segment(path: Path, partitions: int, disk: Disk) -> tuple[Active, int]:
    """Open the segment that was written last, and return it with the bytes cut from its end.

    Whatever it then holds is durable. Raises: LogDamaged where more is broken than the last write can
    have left, OSError.
    """
    fd = os.open(path, os.O_RDWR)
    try:
        size = os.fstat(fd).st_size
        head = read_head(fd, path, partitions)
        index = _noted(path, head, size)
        scan(fd, path, index, size)
        torn = size - index.size
        if torn:
            later = later_block(fd, head.salt, index.size + 1, size)
            if later is not None:
                raise damaged(path, index.size, f"another write follows at byte {later.position}")
            if torn > MAX_BLOCK_BYTES:
                raise damaged(path, index.size, f"{torn} bytes that follow are no write of this log")
            os.ftruncate(fd, index.size)
        # A process killed between write and sync leaves a whole block that is in the cache only.
        disk.sync(fd)
    except BaseException:
        os.close(fd)
        raise
    return Active(path, fd, index, disk), torn


def write_index(path: Path, index: SegmentIndex) -> None:
    """Note beside a segment what is in it up to where it is durable."""
    # Only a shortcut: where there is no room for it, the segment is scanned.
    with suppress(OSError):
        draft = path.with_suffix(".tmp")
        draft.write_bytes(index.encode())
        draft.rename(path.with_suffix(".idx"))


def _noted(path: Path, head: SegmentHead, size: int) -> SegmentIndex:
    """Return the index that was noted while the segment was written; an empty one where none fits."""
    index = read_index(path.with_suffix(".idx"), head)
    return SegmentIndex(head) if index is None or index.size > size else index


def rebuild_index(path: Path, head: SegmentHead) -> SegmentIndex:
    """Return the index of a sealed segment from its blocks. Raises: LogDamaged, OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        index = SegmentIndex(head)
        scan(file.fileno(), path, index, size)
    if index.size != size:
        raise damaged(path, index.size, "there is no whole write here, and later files follow")
    return index


def read_messages(
    path: Path, index: SegmentIndex, partition: int, offset: int, end: int, max_bytes: int
) -> list[Message]:
    """Return messages of a partition from `offset` on and below `end`; `offset` is in this segment.

    Payloads up to `max_bytes`, at least one message; possibly fewer than there are.
    Raises: LogDamaged, OSError.
    """
    with path.open("rb", buffering=0) as file:
        try:
            return _gather(file.fileno(), path, index, partition, (offset, end), max_bytes)
        except ValueError as error:
            raise damaged(path, index.place(partition, offset), str(error)) from error


def _gather(
    fd: int, path: Path, index: SegmentIndex, partition: int, offsets: tuple[int, int], max_bytes: int
) -> list[Message]:
    offset, end = offsets
    end = min(end, index.nexts[partition])
    found: list[Message] = []
    size = scanned = 0
    position, stop = index.place(partition, offset), index.size
    while offset < end and (not found or scanned < _SCAN_BYTES):
        begin = position
        for block in blocks(fd, index.head.salt, position, stop):
            position = block.head.end
            for message in block.messages(partition, offset, end):
                size += len(message.payload)
                if size > max_bytes and found:
                    return found
                found.append(message)
                offset = message.offset + 1
            jump = index.place(partition, offset)
            if offset >= end or jump > position or (found and position - begin >= _SCAN_BYTES):
                break
        if position == begin:
            if found:
                break
            raise damaged(path, position, "there is no whole write here")
        scanned += position - begin
        position = max(position, index.place(partition, offset))
    return found
