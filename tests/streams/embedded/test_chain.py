import os
from pathlib import Path

import pytest

from streams.embedded.chain import Chain, droppable, open_chain
from streams.embedded.disk import Disk, SystemDisk
from streams.embedded.frames import SegmentHead
from streams.embedded.index import Extent
from streams.embedded.segment import Sealed
from streams.log import LogOutOfRange, LogRefused
from tests.streams.embedded.stage import IO_ERROR, NO_SPACE, StagedDisk


def opened(directory: Path, segment_bytes: int = 400, disk: Disk | None = None) -> Chain:
    return open_chain(directory, 2, segment_bytes, disk or SystemDisk())


def fill(chain: Chain, blocks: int) -> None:
    for n in range(blocks):
        chain.append([(0, b"a%d" % n), (1, bytes(50))], n)


def offsets(chain: Chain, partition: int) -> list[int]:
    found: list[int] = []
    offset, end = chain.starts()[partition], chain.nexts()[partition]
    while offset < end:
        step = chain.read(partition, offset, end, 200)
        found += [message.offset for message in step]
        offset = found[-1] + 1
    return found


def test_segments_are_rolled_and_read_across(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    fill(chain, 20)
    assert len(list(tmp_path.glob("*.seg"))) > 3
    assert all(path.stat().st_size <= 400 for path in tmp_path.glob("*.seg"))
    assert offsets(chain, 0) == offsets(chain, 1) == list(range(20))
    assert chain.size() == sum(path.stat().st_size for path in tmp_path.glob("*.seg"))
    chain.close()


def test_every_sealed_segment_has_an_index_and_is_opened_without_being_scanned(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    fill(chain, 20)
    chain.close()
    sealed = sorted(tmp_path.glob("*.seg"))[:-1]
    assert [path.with_suffix(".idx") for path in sealed] == sorted(tmp_path.glob("*.idx"))
    data = sealed[0].read_bytes()
    sealed[0].write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    chain = opened(tmp_path)
    assert chain.nexts() == (20, 20)
    chain.close()


def test_indexes_that_are_missing_or_damaged_are_made_again(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    fill(chain, 20)
    chain.close()
    indexes = sorted(tmp_path.glob("*.idx"))
    before = [path.read_bytes() for path in indexes]
    indexes[0].unlink()
    indexes[1].write_bytes(b"rubbish")
    indexes[2].write_bytes(before[0])
    chain = opened(tmp_path)
    assert offsets(chain, 0) == offsets(chain, 1) == list(range(20))
    chain.close()
    assert [path.read_bytes() for path in indexes] == before


def test_an_index_whose_end_is_damaged_is_made_again_when_it_is_read(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    fill(chain, 20)
    chain.close()
    index = min(tmp_path.glob("*.idx"))
    before = index.read_bytes()
    index.write_bytes(before[:-1] + b"?")
    chain = opened(tmp_path)
    assert offsets(chain, 1) == list(range(20))
    chain.close()
    assert index.read_bytes() == before


def test_offsets_and_the_start_survive_a_trim_and_a_start(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    fill(chain, 20)
    size = chain.size()
    freed = chain.trim({0: 15, 1: 15}, None)
    starts = chain.starts()
    assert 0 < starts[0] <= 15
    assert chain.size() == size - freed
    chain.close()
    chain = opened(tmp_path)
    assert (chain.starts(), chain.nexts()) == (starts, (20, 20))
    assert offsets(chain, 0) == list(range(starts[0], 20))
    with pytest.raises(LogOutOfRange):
        chain.read(0, starts[0] - 1, 20, 100)
    chain.trim({0: 20, 1: 20}, None)
    chain.close()
    chain = opened(tmp_path)
    assert chain.nexts() == (20, 20)
    assert chain.append([(0, b"x")], 1)[0] == [20]
    chain.close()
    assert len(list(tmp_path.glob("*.seg"))) == len(list(tmp_path.glob("*.idx"))) + 1


def test_a_partition_that_lags_keeps_what_it_needs_and_all_that_follows(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    fill(chain, 20)
    assert chain.trim({0: 20}, None) == 0
    assert chain.trim({0: 20, 1: 1}, None) == 0
    assert offsets(chain, 1) == list(range(20))
    chain.close()


@pytest.mark.parametrize(
    ("below", "older_than", "goes"),
    [
        ({0: 9, 1: 3}, None, True),
        ({0: 9, 1: 2}, None, False),
        ({0: 8, 1: 3}, None, False),
        ({0: 9, 1: 3, 2: 0}, 101, True),
        ({0: 9, 1: 3}, 100, False),
        ({}, None, False),
    ],
)
def test_a_segment_goes_when_all_its_messages_may(
    below: dict[int, int], older_than: int | None, goes: bool
) -> None:
    segment = Sealed(
        Path("1.seg"), SegmentHead(1, bytes(16), 0, (5, 0, 70)), Extent(500, stamp=100, nexts=(9, 3, 70))
    )
    assert droppable(segment, below, older_than) is goes


def test_a_full_disk_refuses_leaves_nothing_and_takes_the_next(tmp_path: Path) -> None:
    disk = StagedDisk()
    chain = opened(tmp_path, disk=disk)
    fill(chain, 2)
    size = chain.size()
    disk.fail_write = NO_SPACE
    for _ in range(3):
        with pytest.raises(LogRefused, match="no room"):
            chain.append([(0, bytes(40))], 1)
    assert chain.size() == size == max(tmp_path.glob("*.seg")).stat().st_size
    disk.fail_write = None
    assert chain.append([(0, b"x")], 1)[0] == [2]
    assert offsets(chain, 0) == [0, 1, 2]
    chain.close()


def test_a_disk_full_at_a_new_segment_refuses_and_takes_the_next(tmp_path: Path) -> None:
    disk = StagedDisk()
    chain = opened(tmp_path, segment_bytes=1, disk=disk)
    fill(chain, 3)
    files = sorted(path.name for path in tmp_path.iterdir())
    disk.fail_write = NO_SPACE
    with pytest.raises(LogRefused, match="no room"):
        chain.append([(0, b"x")], 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    disk.fail_write = None
    fill(chain, 3)
    assert offsets(chain, 0) == list(range(6))
    chain.close()
    chain = opened(tmp_path, segment_bytes=1)
    assert offsets(chain, 1) == list(range(6))
    chain.close()


@pytest.mark.parametrize("segment_bytes", [1, 10_000])
def test_after_a_sync_that_failed_a_start_finds_what_was_acknowledged(
    tmp_path: Path, segment_bytes: int
) -> None:
    disk = StagedDisk()
    chain = opened(tmp_path, segment_bytes, disk)
    fill(chain, 3)
    disk.fail_sync = IO_ERROR
    with pytest.raises(OSError, match="Input/output"):
        chain.append([(0, b"x")], 1)
    chain.close()
    chain = opened(tmp_path, segment_bytes)
    assert chain.cut_bytes == 0
    assert offsets(chain, 0) == offsets(chain, 1) == [0, 1, 2]
    chain.close()


def test_what_a_start_finds_is_synced_before_anybody_sees_it(tmp_path: Path) -> None:
    chain = opened(tmp_path)
    fill(chain, 1)
    chain.close()
    disk = StagedDisk()
    opened(tmp_path, disk=disk).close()
    assert disk.calls == ["sync"]
    disk.fail_sync = IO_ERROR
    with pytest.raises(OSError, match="Input/output"):
        opened(tmp_path, disk=disk)


def test_stamps_never_go_back_not_over_blocks_segments_or_starts(tmp_path: Path) -> None:
    stamps = []
    for now in (50, 40, 60, 10):
        chain = opened(tmp_path, segment_bytes=1)
        stamps += [chain.append([(0, b"x")], now)[1], chain.append([(0, b"x")], now - 30)[1]]
        chain.close()
    assert stamps == [50, 50, 50, 50, 60, 60, 60, 60]
    chain = opened(tmp_path)
    assert [chain.read(0, n, 8, 1)[0].stamp for n in range(8)] == stamps
    chain.close()


def test_a_read_of_a_partition_that_is_rare_skips_what_is_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = opened(tmp_path, segment_bytes=1 << 26)
    for n in range(40):
        chain.append([(0, bytes(100_000)), *([(1, b"%d" % n)] if n % 10 == 0 else [])], n)
    pread, asked = os.pread, []

    def counting(fd: int, length: int, position: int) -> bytes:
        asked.append(length)
        return pread(fd, length, position)

    monkeypatch.setattr(os, "pread", counting)
    assert [m.payload for m in chain.read(1, 0, 4, 1_000)] == [b"0", b"10", b"20", b"30"]
    assert sum(asked) < chain.size() // 2
    chain.close()


def test_a_log_of_one_partition_reads_in_bounded_steps(tmp_path: Path) -> None:
    chain = opened(tmp_path, segment_bytes=1 << 26)
    for n in range(50):
        chain.append([(0, bytes(200_000))], n)
    assert len(chain.read(0, 0, 50, 1_000_000)) == 5
    assert len(chain.read(0, 48, 50, 1_000_000)) == 2
    assert len(chain.read(0, 0, 50, 1 << 30)) < 30
    assert len(chain.read(0, 0, 3, 1 << 30)) == 3
    chain.close()
