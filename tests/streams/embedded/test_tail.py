from hypothesis import given, settings
from hypothesis import strategies as st

from streams.embedded.tail import Tail
from streams.log import Message

BLOCKS = st.lists(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=300)), min_size=1, max_size=5))


@settings(deadline=None)
@given(BLOCKS, st.integers(0, 3_000), st.integers(0, 400))
def test_it_gives_what_was_added_or_says_that_it_has_it_no_longer(
    blocks: list[list[tuple[int, bytes]]], limit: int, max_bytes: int
) -> None:
    tail = Tail((0, 0, 0), limit)
    model: list[list[Message]] = [[], [], []]
    for stamp, block in enumerate(blocks):
        added = []
        for partition, payload in block:
            message = Message(len(model[partition]), stamp, payload)
            model[partition].append(message)
            added.append((partition, message))
        assert tail.add(added) == {partition for partition, _ in block}
    for partition, messages in enumerate(model):
        assert tail.end(partition) == len(messages)
        kept = False
        for offset in range(len(messages) + 1):
            found = tail.recent(partition, offset, max_bytes)
            assert found is not None or not kept, "what is newer than something kept is kept"
            kept = found is not None
            if found is not None:
                assert found == messages[offset : offset + len(found)]
                assert found or offset == len(messages)
                assert len(found) <= 1 or sum(len(m.payload) for m in found) <= max_bytes
        assert kept, "the end is always known"


def test_the_newest_block_stays_however_large_and_the_oldest_go_first() -> None:
    tail = Tail((7,), 500)
    for offset in range(7, 12):
        tail.add([(0, Message(offset, 1, bytes(600)))])
    assert tail.recent(0, 10, 1) is None
    assert tail.recent(0, 11, 1) == [Message(11, 1, bytes(600))]


def test_memory_follows_the_limit_also_for_tiny_messages() -> None:
    tail = Tail((0,), 100_000)
    for offset in range(10_000):
        tail.add([(0, Message(offset, 1, b""))])
    kept = next(n for n in range(10_000) if tail.recent(0, n, 1) is not None)
    assert 10_000 - kept < 1_000
