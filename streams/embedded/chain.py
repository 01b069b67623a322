"""The segments of one topic, oldest first: opened, rolled, read, trimmed."""

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import pairwise, takewhile
from pathlib import Path
from threading import Lock
from typing import Final

from streams.embedded.disk import Disk, make_directory, sync_directory
from streams.embedded.frames import SALT_BYTES, Entry, SegmentHead, block_bytes
from streams.embedded.index import SegmentIndex, read_extent, read_index
from streams.embedded.scan import damaged, read_head
from streams.embedded.segment import (
    Active,
    Sealed,
    make_segment,
    read_messages,
    rebuild_index,
    recover_segment,
    write_index,
)
from streams.log import LogFailed, LogOutOfRange, LogRefused, Message

NOTED_EVERY: Final = 4 * 1024 * 1024
"""Bytes after which the index of the segment that is written is noted: a start scans no more than this."""

_INDEXES: Final = 4
"""Indexes of sealed segments kept in memory; each is below 4,096 entries a partition at 64 MB."""


class Chain:
    """The segments of a topic. One thread appends; any may read and trim.

    `cut_bytes` is what was cut from the end of the last segment when it was opened.
    """

    def __init__(
        self, sealed: Sequence[Sealed], active: Active, cut_bytes: int, segment_bytes: int, disk: Disk
    ):
        self.cut_bytes = cut_bytes
        self._sealed = tuple(sealed)
        self._active = active
        self._noted = active.index.size
        self._segment_bytes = segment_bytes
        self._disk = disk
        self._indexes: OrderedDict[int, SegmentIndex] = OrderedDict()
        self._swapping = Lock()
        self._indexing = Lock()
        self._trimming = Lock()

    def append(self, payloads: Sequence[tuple[int, bytes]], now: int) -> tuple[list[int], int]:
        """Make (partition, payload) durable as one block; return the offsets and the stamp they got.

        The stamp is `now`, in milliseconds, or the last one where the clock went back.
        Raises: LogRefused (no room; nothing was taken), OSError (nobody knows).
        """
        index = self._active.index
        size = block_bytes(len(payloads), sum(len(payload) for _, payload in payloads))
        if index.size > index.head.size and index.size + size > self._segment_bytes:
            index = self._roll()
        stamp = max(now, index.stamp)
        nexts = list(index.nexts)
        entries: list[Entry] = []
        for partition, payload in payloads:
            entries.append((partition, nexts[partition], payload))
            nexts[partition] += 1
        self._active.append(entries, stamp)
        if index.size - self._noted >= NOTED_EVERY:
            write_index(self._active.path, index)
            self._noted = index.size
        return [offset for _, offset, _ in entries], stamp

    def read(self, partition: int, offset: int, end: int, max_bytes: int) -> list[Message]:
        """Return messages from `offset` on and below `end`, from one segment.

        At least one, payloads up to `max_bytes`. Raises: LogOutOfRange, LogDamaged, LogFailed.
        """
        try:
            path, index = self._locate(partition, offset)
            return read_messages(path, index, partition, offset, end, max_bytes)
        except FileNotFoundError as error:
            raise LogOutOfRange(f"Offset {offset} of partition {partition} was trimmed.") from error
        except OSError as error:
            raise LogFailed(
                f"Offset {offset} of partition {partition} can't be read: {error}. Look at the disk."
            ) from error

    def starts(self) -> tuple[int, ...]:
        """Return the first offset kept, a partition."""
        with self._swapping:
            return (self._sealed[0] if self._sealed else self._active).head.bases

    def nexts(self) -> tuple[int, ...]:
        """Return the offset the next message will have, a partition."""
        return tuple(self._active.index.nexts)

    def size(self) -> int:
        """Return the bytes of all segments."""
        with self._swapping:
            return sum(segment.extent.size for segment in self._sealed) + self._active.index.size

    def trim(self, below: Mapping[int, int], older_than: int | None) -> int:
        """Drop the oldest sealed segments that hold nothing to keep, and return the bytes that came free.

        Raises: LogRefused where a file can't be removed; it is tried again by the next trim after a start.
        """
        with self._trimming:
            with self._swapping:
                goes = tuple(takewhile(lambda s: droppable(s, below, older_than), self._sealed))
                self._sealed = self._sealed[len(goes) :]
            for segment in goes:
                try:
                    segment.path.with_suffix(".idx").unlink(missing_ok=True)
                    segment.path.unlink()
                    # One by one, or a power loss could leave a gap in the middle.
                    sync_directory(segment.path.parent)
                except OSError as error:
                    raise LogRefused(f"{segment.path} can't be removed: {error.strerror}.") from error
            return sum(segment.extent.size for segment in goes)

    def close(self) -> None:
        """Let go of the files."""
        self._active.close()

    def _roll(self) -> SegmentIndex:
        old = self._active
        sequence = old.head.sequence + 1
        head = SegmentHead(sequence, os.urandom(SALT_BYTES), old.index.stamp, tuple(old.index.nexts))
        new = make_segment(_path(old.path.parent, sequence), head, self._disk)
        self._keep(old.index)
        with self._swapping:
            self._sealed = (*self._sealed, old.sealed())
            self._active = new
        self._noted = new.index.size
        old.close()
        write_index(old.path, old.index)
        return new.index

    def _locate(self, partition: int, offset: int) -> tuple[Path, SegmentIndex]:
        with self._swapping:
            sealed, active = self._sealed, self._active
        if offset >= active.head.bases[partition]:
            return active.path, active.index
        found = bisect_right(sealed, offset, key=lambda segment: segment.extent.nexts[partition])
        if found == len(sealed) or offset < sealed[found].head.bases[partition]:
            raise LogOutOfRange(f"Offset {offset} of partition {partition} was trimmed.")
        return sealed[found].path, self._index(sealed[found])

    def _index(self, segment: Sealed) -> SegmentIndex:
        with self._indexing:
            index = self._indexes.get(segment.head.sequence)
        if index is None:
            index = read_index(segment.path.with_suffix(".idx"), segment.head)
            # one noted while the segment was written does not know its end
            if index is None or index.size != segment.extent.size:
                index = _rebuilt(segment.path, segment.head)
        self._keep(index)
        return index

    def _keep(self, index: SegmentIndex) -> None:
        with self._indexing:
            self._indexes[index.head.sequence] = index
            self._indexes.move_to_end(index.head.sequence)
            if len(self._indexes) > _INDEXES:
                self._indexes.popitem(last=False)


def droppable(segment: Sealed, below: Mapping[int, int], older_than: int | None) -> bool:
    """Return whether all messages of the segment may go."""
    if older_than is not None and segment.extent.stamp >= older_than:
        return False
    spans = zip(segment.head.bases, segment.extent.nexts, strict=True)
    return all(base == end or end <= below.get(partition, 0) for partition, (base, end) in enumerate(spans))


def open_chain(directory: Path, partitions: int, segment_bytes: int, disk: Disk) -> Chain:
    """Open the segments in a directory, which is made where there is none.

    A torn last write is cut. Raises: LogDamaged, LogRefused (no room for the first segment), OSError.
    """
    make_directory(directory)
    for draft in directory.glob("*.tmp"):
        draft.unlink()
    paths = sorted(directory.glob("*.seg"))
    if not paths:
        head = SegmentHead(1, os.urandom(SALT_BYTES), 0, (0,) * partitions)
        return Chain((), make_segment(_path(directory, 1), head, disk), 0, segment_bytes, disk)
    sealed = [_open_sealed(path, partitions) for path in paths[:-1]]
    active, cut_bytes = recover_segment(paths[-1], partitions, disk)
    try:
        _check_order([*sealed, active.sealed()])
    except BaseException:
        active.close()
        raise
    return Chain(sealed, active, cut_bytes, segment_bytes, disk)


def _open_sealed(path: Path, partitions: int) -> Sealed:
    with path.open("rb", buffering=0) as file:
        head = read_head(file.fileno(), path, partitions)
        size = os.fstat(file.fileno()).st_size
    extent = read_extent(path.with_suffix(".idx"), head)
    if extent is None or extent.size != size:
        extent = _rebuilt(path, head).extent
    return Sealed(path, head, extent)


def _check_order(segments: Sequence[Sealed]) -> None:
    for before, after in pairwise(segments):
        if after.head.sequence != before.head.sequence + 1:
            raise damaged(after.path, 0, f"the file between it and {before.path.name} is missing")
        if after.head.bases != before.extent.nexts:
            raise damaged(before.path, before.extent.size, "it ends before the next file begins")


def _rebuilt(path: Path, head: SegmentHead) -> SegmentIndex:
    index = rebuild_index(path, head)
    write_index(path, index)
    return index


def _path(directory: Path, sequence: int) -> Path:
    return directory / f"{sequence:016d}.seg"
