from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.embedded.frames import SegmentHead
from streams.embedded.index import STRIDE, SegmentIndex, read_extent, read_index

HEAD = SegmentHead(3, bytes(16), 70, (5, 0, 9))
BLOCKS = st.lists(st.tuples(st.integers(1, 3 * STRIDE), st.lists(st.integers(0, 2), max_size=6)), max_size=30)


def indexed(blocks: list[tuple[int, list[int]]]) -> tuple[SegmentIndex, dict[tuple[int, int], int]]:
    """Return an index of blocks of (size, partitions of its messages), and where each message truly is."""
    index = SegmentIndex(HEAD)
    truth: dict[tuple[int, int], int] = {}
    for stamp, (size, partitions) in enumerate(blocks):
        nexts = list(index.nexts)
        messages = []
        for partition in partitions:
            messages.append((partition, nexts[partition], None))
            truth[partition, nexts[partition]] = index.size
            nexts[partition] += 1
        index.add(index.size + size, 100 + stamp, messages)
    return index, truth


@settings(deadline=None)
@given(BLOCKS)
def test_a_message_is_at_its_place_or_within_a_stride_after_it(blocks: list[tuple[int, list[int]]]) -> None:
    index, truth = indexed(blocks)
    for (partition, offset), position in truth.items():
        assert 0 <= position - index.place(partition, offset) < STRIDE


@settings(deadline=None)
@given(BLOCKS)
def test_the_file_beside_a_segment_says_what_the_index_said(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[tuple[int, list[int]]]
) -> None:
    index, truth = indexed(blocks)
    path = tmp_path_factory.getbasetemp() / "1.idx"
    path.write_bytes(index.encode())
    again = read_index(path, HEAD)
    assert again is not None
    assert read_extent(path, HEAD) == again.extent == index.extent
    assert [again.place(*place) for place in truth] == [index.place(*place) for place in truth]


def test_a_file_that_is_missing_damaged_or_of_another_segment_is_none(tmp_path: Path) -> None:
    path = tmp_path / "1.idx"
    assert read_index(path, HEAD) is None
    index, _ = indexed([(10, [0, 1, 2])] * 3)
    data = index.encode()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert read_index(path, HEAD) is None
        path.write_bytes(data[:at])
        assert read_index(path, HEAD) is None
    path.write_bytes(data)
    assert read_index(path, HEAD) is not None
    for other in (SegmentHead(4, bytes(16), 70, HEAD.bases), SegmentHead(3, b"x" * 16, 70, HEAD.bases)):
        assert read_extent(path, other) is None
        assert read_index(path, other) is None


@pytest.mark.parametrize("message", [(0, 6), (0, 4), (3, 0)])
def test_an_offset_out_of_turn_is_refused(message: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="out of turn"):
        SegmentIndex(HEAD).add(100, 1, [(*message, None)])


def test_it_is_bounded_by_the_size_of_the_segment_and_not_by_its_messages() -> None:
    index = SegmentIndex(HEAD)
    for n in range(20_000):
        index.add(index.size + 40, 1, [(1, n, None)])
    assert len(index.encode()) < 200 + 16 * (index.size // STRIDE + 1)
