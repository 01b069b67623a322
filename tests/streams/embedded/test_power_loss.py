"""What is left after power was lost in a write, or after a disk turned bytes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.embedded.chain import Chain, open_chain
from streams.embedded.disk import SystemDisk
from streams.embedded.frames import MAX_BLOCK_BYTES, block_bytes, segment_head_bytes
from streams.log import LogDamaged

SEGMENT = 1 << 20


def opened(directory: Path, segment_bytes: int = SEGMENT) -> Chain:
    return open_chain(directory, 2, segment_bytes, SystemDisk())


def kept(chain: Chain) -> list[list[bytes]]:
    """Return the payloads of both partitions."""
    found: list[list[bytes]] = []
    for partition, (offset, end) in enumerate(zip(chain.starts(), chain.nexts(), strict=True)):
        found.append([])
        while offset < end:
            step = chain.read(partition, offset, end, 1_000)
            found[-1] += [message.payload for message in step]
            offset = step[-1].offset + 1
    return found


def last(directory: Path) -> Path:
    return max(directory.glob("*.seg"))


def written(directory: Path, segment_bytes: int = SEGMENT) -> tuple[list[list[bytes]], int, int]:
    """Write some blocks; return what the ones before the last hold, and where the last begins and ends."""
    chain = opened(directory, segment_bytes)
    for n in range(5):
        chain.append([(0, b"a%d" % n), (1, b"b%d" % n), (0, b"")], n)
    before, begin = kept(chain), last(directory).stat().st_size
    chain.append([(1, b"last"), (0, bytes(20)), (1, b"SLB\x01 last")], 9)
    end = last(directory).stat().st_size
    chain.close()
    return before, begin, end


def cut(data: bytes, at: int) -> bytes:
    return data[:at]


def zero(data: bytes, at: int) -> bytes:
    return data[:at] + bytes(len(data) - at)


def noise(data: bytes, at: int) -> bytes:
    return data[:at] + os.urandom(len(data) - at)


@pytest.mark.parametrize("lose", [cut, zero, noise])
def test_a_torn_tail_is_cut_and_what_was_acknowledged_is_there(
    tmp_path: Path, lose: Callable[[bytes, int], bytes]
) -> None:
    before, begin, end = written(tmp_path)
    whole = last(tmp_path).read_bytes()
    for at in range(begin, end):
        torn = lose(whole, at)
        if torn == whole:
            continue
        last(tmp_path).write_bytes(torn)
        chain = opened(tmp_path)
        assert chain.cut_bytes == len(torn) - begin
        assert kept(chain) == before
        chain.append([(1, b"next")], 10)
        chain.close()
        chain = opened(tmp_path)
        assert chain.cut_bytes == 0
        assert kept(chain) == [before[0], [*before[1], b"next"]]
        chain.close()


def test_a_last_write_whose_beginning_never_came_is_cut(tmp_path: Path) -> None:
    before, begin, end = written(tmp_path)
    whole = last(tmp_path).read_bytes()
    for at in range(begin, end):
        last(tmp_path).write_bytes(whole[:begin] + bytes(at + 1 - begin) + whole[at + 1 :])
        if last(tmp_path).read_bytes() == whole:
            continue
        chain = opened(tmp_path)
        assert kept(chain) == before
        chain.close()


def test_a_torn_first_write_of_a_new_segment_is_cut(tmp_path: Path) -> None:
    before, _, _ = written(tmp_path, segment_bytes=1)
    whole = last(tmp_path).read_bytes()
    head = segment_head_bytes(2)
    for at in range(head, len(whole)):
        last(tmp_path).write_bytes(whole[:at])
        chain = opened(tmp_path, segment_bytes=1)
        assert chain.cut_bytes == at - head
        assert kept(chain) == before
        chain.close()


def test_any_byte_turned_before_the_last_write_is_damage_and_names_the_place(tmp_path: Path) -> None:
    _, begin, _ = written(tmp_path)
    path = last(tmp_path)
    whole = path.read_bytes()
    for at in range(begin):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with pytest.raises(LogDamaged, match=f"{path.name} is damaged at byte"):
            opened(tmp_path)
        assert path.stat().st_size == len(whole), "what is damaged is left as it is"


@pytest.mark.parametrize("distance", [1 << 20, (1 << 20) + 1, (1 << 20) + 3, (1 << 20) + 4, 3 << 20])
def test_a_write_that_follows_far_behind_the_damage_is_found(tmp_path: Path, distance: int) -> None:
    chain = opened(tmp_path, 8 * SEGMENT)
    begin = chain.size()
    chain.append([(0, bytes(distance - block_bytes(1, 0)))], 1)
    assert chain.size() == begin + distance
    chain.append([(0, b"x")], 1)
    chain.close()
    with last(tmp_path).open("r+b") as file:
        file.seek(begin)
        file.write(b"?")
    with pytest.raises(
        LogDamaged, match=f"at byte {begin}: another write follows at byte {begin + distance}"
    ):
        opened(tmp_path)


def test_a_payload_that_is_the_image_of_the_file_is_not_taken_for_a_write(tmp_path: Path) -> None:
    written(tmp_path)
    image = last(tmp_path).read_bytes()
    chain = opened(tmp_path)
    before, begin = kept(chain), last(tmp_path).stat().st_size
    chain.append([(0, image), (1, image)], 9)
    chain.close()
    whole = last(tmp_path).read_bytes()
    last(tmp_path).write_bytes(whole[: begin + 1] + b"?" + whole[begin + 2 :])
    chain = opened(tmp_path)
    assert chain.cut_bytes == len(whole) - begin
    assert kept(chain) == before
    chain.close()


def test_more_rubbish_than_one_write_leaves_is_damage(tmp_path: Path) -> None:
    written(tmp_path)
    with last(tmp_path).open("ab") as file:
        file.write(bytes(MAX_BLOCK_BYTES + 1))
    with pytest.raises(LogDamaged, match="no write of this log"):
        opened(tmp_path)


def test_a_sealed_segment_that_is_damaged_is_refused_when_it_is_read(tmp_path: Path) -> None:
    written(tmp_path, segment_bytes=200)
    path = sorted(tmp_path.glob("*.seg"))[1]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    chain = opened(tmp_path, segment_bytes=200)
    with pytest.raises(LogDamaged, match=path.name):
        kept(chain)
    chain.close()


def test_a_sealed_segment_that_is_damaged_and_has_no_index_is_refused_at_once(tmp_path: Path) -> None:
    written(tmp_path, segment_bytes=200)
    path = sorted(tmp_path.glob("*.seg"))[1]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LogDamaged, match=path.name):
        opened(tmp_path, segment_bytes=200)


def test_a_sealed_segment_that_ends_early_at_a_whole_block_is_refused(tmp_path: Path) -> None:
    chain = opened(tmp_path, 400)
    sizes = []
    for n in range(12):
        chain.append([(0, bytes(20))], n)
        sizes.append((last(tmp_path), last(tmp_path).stat().st_size))
    chain.close()
    first = sorted(tmp_path.glob("*.seg"))[0]
    shorter = [size for path, size in sizes if path == first][-2]
    first.write_bytes(first.read_bytes()[:shorter])
    with pytest.raises(LogDamaged, match="ends before the next file begins"):
        opened(tmp_path, 400)


def test_a_segment_missing_in_the_middle_is_damage(tmp_path: Path) -> None:
    written(tmp_path, segment_bytes=200)
    sorted(tmp_path.glob("*.seg"))[1].unlink()
    with pytest.raises(LogDamaged, match="missing"):
        opened(tmp_path, segment_bytes=200)


def test_drafts_that_a_crash_left_are_cleared_away(tmp_path: Path) -> None:
    before, _, _ = written(tmp_path)
    (tmp_path / "0000000000000002.tmp").write_bytes(b"half a head")
    chain = opened(tmp_path)
    assert kept(chain)[0][: len(before[0])] == before[0]
    chain.close()
    assert not list(tmp_path.glob("*.tmp"))
