"""The bytes of a segment: its head, and the blocks after it. Pure.

Numbers are little-endian. A segment is a head and then blocks without gaps; a block is one commit:

    segment  magic+version 4 · partitions u16 · sequence u64 · stamp u64 · salt 16 · bases u64 each · crc u32
    block    magic+version 4 · count u32 · length u32 · stamp u64 · crc of the body u32 · crc of the head u32
             body: a table of (partition u16, offset u64, length u32) a message, then the payloads in turn

The crc of a block's head is seeded with the segment's salt and the block's position. So a payload that
holds the image of a block, by chance or by malice, is never taken for one.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

from streams.log import Message

MAX_BLOCK_BYTES: Final = 8 * 1024 * 1024
"""No block is larger, so no torn write leaves more behind."""

SALT_BYTES: Final = 16
BLOCK_MAGIC: Final = b"SLB\x01"
_SEGMENT_MAGIC: Final = b"SLS\x01"
_SEGMENT: Final = struct.Struct("<4sHQQ16s")
_BLOCK: Final = struct.Struct("<4sIIQI")
_BLOCK_HEAD: Final = struct.Struct("<4sIIQII")
_ROW: Final = struct.Struct("<HQI")
_CRC: Final = struct.Struct("<I")

BLOCK_HEAD_BYTES: Final = _BLOCK_HEAD.size

Entry = tuple[int, int, bytes]
"""Partition, offset, payload."""


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """What was true when the segment began: the last stamp, and the next offset of every partition."""

    sequence: int
    salt: bytes
    stamp: int
    bases: tuple[int, ...]

    @property
    def size(self) -> int:
        """The bytes it takes, which is the position of the first block."""
        return segment_head_bytes(len(self.bases))


class BlockHead(NamedTuple):
    """A block's head that was found whole: where the block begins and ends, what it says of its body."""

    position: int
    end: int
    messages: int
    stamp: int
    crc: int


class Block(NamedTuple):
    """A whole block whose checksums are right."""

    head: BlockHead
    body: memoryview

    def check(self) -> None:
        """Let a block pass that holds what its table says.

        Raises: ValueError: its checksums are right all the same, so it was written so.
        """
        table = self.head.messages * _ROW.size
        if table > len(self.body) or table + sum(row[2] for row in self.rows()) != len(self.body):
            raise ValueError(f"a table of {self.head.messages} messages does not fit its block")

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """Yield (partition, offset, length of the payload) of each message of a block that was checked."""
        return _ROW.iter_unpack(self.body[: self.head.messages * _ROW.size])

    def messages(self, partition: int, first: int, end: int) -> Iterator[Message]:
        """Yield the partition's messages whose offset is in [first, end). Raises: ValueError."""
        self.check()
        at = self.head.messages * _ROW.size
        for owner, offset, length in self.rows():
            if owner == partition and first <= offset < end:
                yield Message(offset, self.head.stamp, bytes(self.body[at : at + length]))
            at += length


def segment_head_bytes(partitions: int) -> int:
    """Return the size of the head of a segment."""
    return _SEGMENT.size + 8 * partitions + _CRC.size


def encode_segment_head(head: SegmentHead) -> bytes:
    """Return the first bytes of a segment."""
    fixed = _SEGMENT.pack(_SEGMENT_MAGIC, len(head.bases), head.sequence, head.stamp, head.salt)
    raw = fixed + struct.pack(f"<{len(head.bases)}Q", *head.bases)
    return raw + _CRC.pack(crc32(raw))


def read_segment_head(data: bytes) -> SegmentHead | None:
    """Return the head that `data` is, or None where it is damaged or of another version."""
    if len(data) < _SEGMENT.size + _CRC.size or crc32(data[: -_CRC.size]) != _CRC.unpack(data[-4:])[0]:
        return None
    magic, partitions, sequence, stamp, salt = _SEGMENT.unpack_from(data)
    if magic != _SEGMENT_MAGIC or len(data) != segment_head_bytes(partitions):
        return None
    return SegmentHead(sequence, salt, stamp, struct.unpack_from(f"<{partitions}Q", data, _SEGMENT.size))


def block_bytes(count: int, payload_bytes: int) -> int:
    """Return the size of a block of `count` messages whose payloads sum up to `payload_bytes`."""
    return BLOCK_HEAD_BYTES + count * _ROW.size + payload_bytes


def encode_block(entries: Sequence[Entry], stamp: int, salt: bytes, position: int) -> bytes:
    """Return the block of `entries` for this position of the segment with this salt."""
    parts = [_ROW.pack(partition, offset, len(payload)) for partition, offset, payload in entries]
    parts += [payload for _, _, payload in entries]
    body = b"".join(parts)
    fixed = _BLOCK.pack(BLOCK_MAGIC, len(entries), len(body), stamp, crc32(body))
    return b"".join((fixed, _CRC.pack(crc32(fixed, _seed(salt, position))), body))


def read_block_head(data: memoryview, at: int, salt: bytes, position: int) -> BlockHead | None:
    """Return the block head at `at` of `data`, or None if no block was ever begun there.

    `position` is the place in the segment that `at` is.
    """
    if len(data) < at + BLOCK_HEAD_BYTES:
        return None
    magic, count, length, stamp, crc, head_crc = _BLOCK_HEAD.unpack_from(data, at)
    if magic != BLOCK_MAGIC or head_crc != crc32(data[at : at + _BLOCK.size], _seed(salt, position)):
        return None
    return BlockHead(position, position + BLOCK_HEAD_BYTES + length, count, stamp, crc)


def read_block(data: memoryview, at: int, head: BlockHead) -> Block | None:
    """Return the block at `at` of `data`, or None if its body is not whole."""
    length = head.end - head.position
    body = data[at + BLOCK_HEAD_BYTES : at + length]
    if len(body) + BLOCK_HEAD_BYTES != length or crc32(body) != head.crc:
        return None
    return Block(head, body)


def _seed(salt: bytes, position: int) -> int:
    return crc32(salt + position.to_bytes(8, "little"))
