"""What a reader of events may hold, and in which portions it is given to him."""

from hypothesis import given
from hypothesis import strategies as st

from api.feeds.live import HELD, Listener
from api.feeds.sse import PIECE, pieces


@given(st.lists(st.integers(0, 3 * PIECE), max_size=20))
def test_pieces_put_together_are_all_events_and_only_a_single_one_is_larger(sizes: list[int]) -> None:
    events = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    made = list(pieces(events))
    assert b"".join(made) == b"".join(events)
    assert all(len(piece) <= PIECE or piece in events for piece in made)


@given(st.lists(st.integers(1, HELD // 4), max_size=30))
def test_a_reader_that_takes_nothing_holds_a_megabyte_and_is_then_let_go(sizes: list[int]) -> None:
    listener = Listener("w", None)
    for size in sizes:
        listener.offer(bytes(size))
        assert listener.held <= HELD
    assert listener.lost == (sum(sizes) > HELD)
    assert listener.lost <= (not listener.waiting)


@given(st.lists(st.integers(1, PIECE), max_size=40))
def test_what_is_taken_piece_by_piece_is_what_was_offered(sizes: list[int]) -> None:
    listener = Listener("w", None)
    events = [bytes([number % 251]) * size for number, size in enumerate(sizes) if sum(sizes) <= HELD]
    for event in events:
        listener.offer(event)
    taken = b""
    while listener.waiting:
        piece = listener.take()
        assert 0 < len(piece) <= PIECE
        taken += piece
    assert (taken, listener.held) == (b"".join(events), 0)
