"""Where the messages of a segment are, and the file beside a sealed segment that says so.

The index is sparse: a partition gets an entry where a block holds its messages and its last entry is 16 KB
or more behind. The file beside a segment is only a shortcut: it is not synced, and one that is missing,
damaged, of another byte order or of another segment is made again by scanning. While a segment is written
its file says what was durable when it was noted; what follows is scanned. Its layout, in the machine's own
order:

    magic 4 · partitions u32 · sequence u64 · salt 16 · size u64 · stamp u64 ·
    (next offset u64, entries u64) a partition · crc u32 · first offsets and positions a partition · crc u32
"""

import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

from streams.embedded.frames import SegmentHead

STRIDE: Final = 16 * 1024
_MAGIC: Final = 0x31584C53
_FIXED: Final = struct.Struct("=IIQ16sQQ")
_CRC: Final = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class Extent:
    """What a segment holds: its size in bytes, its last stamp, and the offsets after its last messages."""

    size: int
    stamp: int
    nexts: tuple[int, ...]


class SegmentIndex:
    """Where messages are. One thread adds, any thread looks up what was added before it asked."""

    __slots__ = ("_firsts", "_places", "head", "nexts", "size", "stamp")

    def __init__(self, head: SegmentHead) -> None:
        self.head = head
        self.size = head.size
        self.stamp = head.stamp
        self.nexts = list(head.bases)
        self._firsts = [array("Q") for _ in head.bases]
        self._places = [array("Q") for _ in head.bases]

    @property
    def extent(self) -> Extent:
        """What the segment holds so far."""
        return Extent(self.size, self.stamp, tuple(self.nexts))

    def add(self, end: int, stamp: int, messages: Iterable[tuple[int, int, object]]) -> None:
        """Take in the block from `size` to `end`; `messages` are its (partition, offset, _) in order.

        Raises: ValueError where an offset is not the partition's next.
        """
        position = self.size
        for partition, offset, _ in messages:
            if partition >= len(self.nexts) or offset != self.nexts[partition]:
                raise ValueError(f"offset {offset} of partition {partition} is out of turn")
            places = self._places[partition]
            if not places or position - places[-1] >= STRIDE:
                # Places first: who finds an offset must find its place.
                places.append(position)
                self._firsts[partition].append(offset)
            self.nexts[partition] = offset + 1
        self.stamp = stamp
        self.size = end

    def place(self, partition: int, offset: int) -> int:
        """Return the position of a block at or before the one that holds the message."""
        found = bisect_right(self._firsts[partition], offset)
        return self._places[partition][found - 1] if found else self.head.size

    def encode(self) -> bytes:
        """Return the bytes of the file beside the segment."""
        head = self.head
        fixed = _FIXED.pack(_MAGIC, len(self.nexts), head.sequence, head.salt, self.size, self.stamp)
        counts = [n for pair in zip(self.nexts, map(len, self._places), strict=True) for n in pair]
        raw = fixed + struct.pack(f"={len(counts)}Q", *counts)
        pairs = zip(self._firsts, self._places, strict=True)
        body = b"".join(column.tobytes() for pair in pairs for column in pair)
        return b"".join((raw, _CRC.pack(crc32(raw)), body, _CRC.pack(crc32(body))))


def read_extent(path: Path, head: SegmentHead) -> Extent | None:
    """Return what the file beside the segment says the segment holds, reading only its beginning.

    None where there is no such file, or none that fits.
    """
    found = _read_start(path, head, whole=False)
    return found[0] if found else None


def read_index(path: Path, head: SegmentHead) -> SegmentIndex | None:
    """Return the index that the file beside the segment holds, None where there is none that fits."""
    found = _read_start(path, head, whole=True)
    if found is None:
        return None
    extent, counts, body = found
    if len(body) != 16 * sum(counts) + _CRC.size or crc32(body[:-4]) != _CRC.unpack(body[-4:])[0]:
        return None
    index = SegmentIndex(head)
    at = 0
    for partition, count in enumerate(counts):
        for columns in (index._firsts, index._places):
            columns[partition].frombytes(body[at : at + 8 * count])
            at += 8 * count
    index.size, index.stamp, index.nexts = extent.size, extent.stamp, list(extent.nexts)
    return index


def _read_start(
    path: Path, head: SegmentHead, *, whole: bool
) -> tuple[Extent, tuple[int, ...], bytes] | None:
    length = _FIXED.size + 16 * len(head.bases)
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read(os.fstat(file.fileno()).st_size if whole else length + _CRC.size)
    except OSError:
        return None
    if len(data) < length + _CRC.size or crc32(data[:length]) != _CRC.unpack_from(data, length)[0]:
        return None
    magic, partitions, sequence, salt, size, stamp = _FIXED.unpack_from(data)
    if (magic, partitions, sequence, salt) != (_MAGIC, len(head.bases), head.sequence, head.salt):
        return None
    numbers = struct.unpack_from(f"={2 * partitions}Q", data, _FIXED.size)
    return Extent(size, stamp, numbers[::2]), numbers[1::2], data[length + _CRC.size :]
