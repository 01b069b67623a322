"""The index noted while a segment is written: a start reads what came after it, and trusts it no further."""

import os
from pathlib import Path

import pytest

from streams.embedded.chain import NOTED_EVERY, Chain, open_chain
from streams.embedded.disk import SystemDisk
from streams.log import LogDamaged

SEGMENT = 64 * 1024 * 1024
PAYLOAD = 200_000


class Quick(SystemDisk):
    """A disk that does not wait for the platter."""

    def sync(self, fd: int) -> None:
        """Nothing."""


def opened(directory: Path, segment_bytes: int = SEGMENT) -> Chain:
    return open_chain(directory, 2, segment_bytes, Quick())


def filled(directory: Path, size: int, segment_bytes: int = SEGMENT) -> list[bytes]:
    """Write about `size` bytes and return the payloads of partition 0."""
    chain = opened(directory, segment_bytes)
    payloads = [b"%08d" % n + bytes(PAYLOAD) for n in range(size // PAYLOAD)]
    for payload in payloads:
        chain.append([(0, payload), (1, b"x")], 1)
    chain.close()
    return payloads


def kept(chain: Chain) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < chain.nexts()[0]:
        found += [m.payload for m in chain.read(0, len(found), chain.nexts()[0], 10**7)]
    return found


@pytest.mark.parametrize("size", [2, 6, 14])
def test_a_start_reads_no_more_of_a_long_segment_than_of_a_short_one(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = filled(tmp_path, size * NOTED_EVERY // 2)
    read, pread = 0, os.pread

    def counting(fd: int, length: int, position: int) -> bytes:
        nonlocal read
        data = pread(fd, length, position)
        read += len(data)
        return data

    monkeypatch.setattr(os, "pread", counting)
    chain = opened(tmp_path)
    # windows overlap: a block that is cut by the end of one is read again with the next
    assert read < 3 * NOTED_EVERY
    monkeypatch.undo()
    assert kept(chain) == payloads
    chain.append([(0, b"next")], 1)
    chain.close()
    assert kept(opened(tmp_path))[-1] == b"next"


def test_a_torn_tail_behind_what_was_noted_is_cut(tmp_path: Path) -> None:
    payloads = filled(tmp_path, 3 * NOTED_EVERY)
    (path,) = tmp_path.glob("*.seg")
    assert path.with_suffix(".idx").exists()
    os.truncate(path, path.stat().st_size - 1)
    chain = opened(tmp_path)
    assert (kept(chain), chain.cut_bytes > 0) == (payloads[:-1], True)
    chain.close()


def test_what_was_noted_of_more_than_there_is_is_not_believed(tmp_path: Path) -> None:
    filled(tmp_path, 3 * NOTED_EVERY)
    (path,) = tmp_path.glob("*.seg")
    os.truncate(path, NOTED_EVERY)
    chain = opened(tmp_path)
    assert chain.cut_bytes < 2 * PAYLOAD
    assert chain.nexts()[0] == len(kept(chain)) > 0
    chain.close()


@pytest.mark.parametrize("noted", [True, False])
def test_a_sealed_segment_whose_index_was_never_completed_is_read_to_its_end(
    tmp_path: Path, noted: bool
) -> None:
    payloads = filled(tmp_path, 3 * NOTED_EVERY)
    (path,) = tmp_path.glob("*.seg")
    early = path.with_suffix(".idx").read_bytes()
    chain = opened(tmp_path, segment_bytes=1)
    chain.append([(0, b"in the next segment")], 1)
    if noted:  # as where the last index found no room
        path.with_suffix(".idx").write_bytes(early)
    else:
        path.with_suffix(".idx").unlink()
    chain.close()
    chain = opened(tmp_path)
    path.with_suffix(".idx").write_bytes(early)
    assert kept(chain) == [*payloads, b"in the next segment"]
    chain.close()


def test_damage_before_what_was_noted_is_found_when_it_is_read(tmp_path: Path) -> None:
    filled(tmp_path, 3 * NOTED_EVERY)
    (path,) = tmp_path.glob("*.seg")
    with path.open("r+b") as file:
        file.seek(PAYLOAD // 2)
        file.write(b"?")
    chain = opened(tmp_path)
    with pytest.raises(LogDamaged, match=path.name):
        kept(chain)
    chain.close()
