"""The log's reader over files that a disk, or somebody, has spoilt. Run: `python -m tests.fuzz log_reader`.

The first byte chooses how the rest becomes a segment file: any bytes behind a good head; good blocks that are
then spoilt; blocks with right checksums over any body.
"""

import os
import struct
import tempfile
from pathlib import Path
from typing import Final
from zlib import crc32

from streams.embedded.disk import SystemDisk
from streams.embedded.frames import (
    BLOCK_MAGIC,
    MAX_BLOCK_BYTES,
    Entry,
    SegmentHead,
    encode_block,
    encode_segment_head,
)
from streams.embedded.index import SegmentIndex, read_extent, read_index
from streams.embedded.segment import read_messages, rebuild_index, recover_segment
from streams.log import LogDamaged, Message

PARTITIONS: Final = 3
HEAD: Final = SegmentHead(7, b"0123456789abcdef", 1_000, (5, 0, 2**40))
SEEDS: Final = (
    b"\x00",
    b"\x00SLB\x01" + bytes(40),
    b"\x01\x04abcdefgh\x00\x00\x00\x00",
    b"\x01\x09the quick brown fox jumps over the lazy dog\x10\x20\xff\x03",
    b"\x02\x01\x00\x00\x00" + struct.pack("<HQI", 0, 5, 3) + b"abc",
    b"\x02\x02\x00\x00\x00" + struct.pack("<HQIHQI", 1, 0, 1, 1, 1, 2**31) + b"abc",
    b"\x03" + SegmentIndex(HEAD).encode(),
)
_FOLDER: Final = Path(
    tempfile.mkdtemp(prefix="fuzz-log-", dir="/dev/shm" if Path("/dev/shm").exists() else None)
)


class _QuickDisk(SystemDisk):
    def sync(self, fd: int) -> None:
        """Trust the system: no power is cut here."""


def target(data: bytes) -> None:
    """Recover, index and read a segment made of `data`. Raises: AssertionError where a law is broken."""
    mode, rest = (data[0] % 4, data[1:]) if data else (0, data)
    if mode == 3:
        _index(rest)
        return
    whole: list[Entry] | None = None
    head = encode_segment_head(HEAD)
    if mode == 0:
        file = head + rest
    elif mode == 1:
        good, whole = _blocks(rest)
        file = _spoilt(head + good, rest)
    else:
        file = head + _forged(rest)
    path = _FOLDER / f"{os.getpid()}.seg"
    path.write_bytes(file)
    sealed = _rebuilt(path)
    try:
        active, cut = recover_segment(path, PARTITIONS, _QuickDisk())
    except LogDamaged:
        return
    active.close()
    assert cut == len(file) - path.stat().st_size and cut <= MAX_BLOCK_BYTES
    assert (sealed is None) or cut == 0
    found = _everything(path, active.index)
    if whole is not None:
        for partition, messages in enumerate(found):
            written = [payload for owner, _, payload in whole if owner == partition]
            assert [message.payload for message in messages] == written[: len(messages)]


def _rebuilt(path: Path) -> SegmentIndex | None:
    try:
        return rebuild_index(path, HEAD)
    except LogDamaged:
        return None


def _everything(path: Path, index: SegmentIndex) -> list[list[Message]]:
    """Return all messages by partition; a reader who found the index right finds every message, or damage."""
    found: list[list[Message]] = []
    for partition, (base, end) in enumerate(zip(HEAD.bases, index.nexts, strict=True)):
        messages: list[Message] = []
        offset = base
        while offset < end:
            try:
                page = read_messages(path, index, partition, offset, end, 64)
            except LogDamaged:
                break
            assert page, "a reader that finds nothing asks for ever"
            assert [message.offset for message in page] == list(range(offset, offset + len(page)))
            messages += page
            offset += len(page)
        found.append(messages)
    return found


def _blocks(data: bytes) -> tuple[bytes, list[Entry]]:
    """Return good blocks whose messages are cut from `data`."""
    entries: list[Entry] = []
    nexts = list(HEAD.bases)
    out = b""
    step = 1 + (data[0] if data else 0) % 16
    for at in range(0, min(len(data), 256), step):
        piece = data[at : at + step]
        block: list[Entry] = []
        for number in range(1 + piece[0] % 3):
            partition = (piece[-1] + number) % PARTITIONS
            block.append((partition, nexts[partition], piece[number:]))
            nexts[partition] += 1
        out += encode_block(block, 1_000 + at, HEAD.salt, HEAD.size + len(out))
        entries += block
    return out, entries


def _spoilt(file: bytes, data: bytes) -> bytes:
    """Change a byte, cut the end off or put something in, as the end of `data` says."""
    if len(data) < 4:
        return file
    how, at, value = data[-1] % 4, int.from_bytes(data[-4:-2], "little") % len(file), data[-2:-1]
    if how == 1:
        return file[:at] + value + file[at + 1 :]
    if how == 2:
        return file[:at]
    return file[:at] + value + file[at:] if how == 3 else file


def _forged(data: bytes) -> bytes:
    """Return one block that says it has as many messages as `data` begins with; its checksums are right."""
    count, body = int.from_bytes(data[:4], "little"), data[4:]
    fixed = struct.pack("<4sIIQI", BLOCK_MAGIC, count, len(body), 2_000, crc32(body))
    seed = crc32(HEAD.salt + HEAD.size.to_bytes(8, "little"))
    return fixed + struct.pack("<I", crc32(fixed, seed)) + body


def _index(data: bytes) -> None:
    """Read any bytes as the file beside a segment: it is right or it is not there."""
    path = _FOLDER / f"{os.getpid()}.idx"
    path.write_bytes(data)
    extent, index = read_extent(path, HEAD), read_index(path, HEAD)
    if index is not None:
        assert extent == index.extent and index.encode() == data
