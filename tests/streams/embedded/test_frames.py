import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.embedded.frames import (
    BLOCK_HEAD_BYTES,
    Block,
    BlockHead,
    Entry,
    SegmentHead,
    block_bytes,
    encode_block,
    encode_segment_head,
    read_block,
    read_block_head,
    read_segment_head,
)

SALT = bytes(range(16))
ENTRIES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2**63), st.binary(max_size=50)), max_size=8)


def whole_block(data: bytes, salt: bytes = SALT, position: int = 0) -> Block | None:
    """Return the block that begins two bytes into what surrounds `data`."""
    around = memoryview(b"??" + data)
    head = read_block_head(around, 2, salt, position)
    return read_block(around, 2, head) if head else None


@settings(deadline=None)
@given(ENTRIES, st.integers(0, 2**63), st.integers(0, 2**40), st.binary(max_size=9))
def test_a_block_reads_as_it_was_written(entries: list[Entry], stamp: int, at: int, behind: bytes) -> None:
    data = encode_block(entries, stamp, SALT, at)
    block = whole_block(data + behind, position=at)
    assert block is not None
    assert block.head.end == at + len(data)
    assert len(data) == block_bytes(len(entries), sum(len(payload) for _, _, payload in entries))
    for partition in range(10):
        expected = [(o, stamp, payload) for p, o, payload in entries if p == partition]
        assert list(block.messages(partition, 0, 2**64)) == expected


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.binary(max_size=9)), min_size=1, max_size=4)
)
def test_a_block_with_any_bit_turned_or_any_byte_missing_is_none(entries: list[Entry]) -> None:
    data = encode_block(entries, 5, SALT, 7)
    for at in range(len(data)):
        turned = bytearray(data)
        turned[at] ^= 1 << at % 8
        assert whole_block(bytes(turned), position=7) is None
        assert whole_block(data[:at], position=7) is None


@pytest.mark.parametrize("rows", [[(0, 0, 4)], [(0, 0, 2)], [(0, 0, 3)] * 2])
def test_a_block_whose_table_does_not_fit_it_is_refused_though_its_checksums_are_right(
    rows: list[tuple[int, int, int]],
) -> None:
    body = memoryview(b"".join(struct.pack("<HQI", *row) for row in rows) + b"abc")
    head = BlockHead(0, BLOCK_HEAD_BYTES + len(body), len(rows), 1, 0)
    with pytest.raises(ValueError, match="does not fit its block"):
        Block(head, body).check()
    with pytest.raises(ValueError, match="does not fit its block"):
        Block(head._replace(messages=10), body).check()


def test_a_block_of_another_place_or_another_segment_is_none() -> None:
    data = encode_block([(0, 0, b"x")], 1, SALT, 100)
    assert whole_block(data, position=100) is not None
    assert whole_block(data, position=101) is None
    assert whole_block(data, salt=bytes(16), position=100) is None


def test_messages_are_those_of_the_range_asked_for() -> None:
    block = whole_block(encode_block([(1, n, bytes([n])) for n in range(9)], 1, SALT, 0))
    assert block is not None
    assert [m.offset for m in block.messages(1, 3, 6)] == [3, 4, 5]


@settings(deadline=None)
@given(
    st.integers(0, 2**63), st.binary(min_size=16, max_size=16), st.lists(st.integers(0, 2**63), max_size=9)
)
def test_a_segment_head_reads_as_it_was_written(number: int, salt: bytes, bases: list[int]) -> None:
    head = SegmentHead(number, salt, number, tuple(bases))
    data = encode_segment_head(head)
    assert len(data) == head.size
    assert read_segment_head(data) == head
    assert read_segment_head(data[:-1]) is None
    assert read_segment_head(bytes(len(data))) is None


def test_a_segment_head_of_another_version_is_none() -> None:
    data = encode_segment_head(SegmentHead(1, SALT, 0, (0,)))
    assert read_segment_head(data[:3] + b"\x02" + data[4:]) is None


def test_nothing_is_read_where_less_than_a_head_is_left() -> None:
    data = encode_block([], 0, SALT, 0)
    assert len(data) == BLOCK_HEAD_BYTES
    assert all(whole_block(data[:n]) is None for n in range(BLOCK_HEAD_BYTES))
