"""What a JSON text holds that no record may, held against what the standard library reads in it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from api.decode.texts import read_member

PIECES = (r"\ud83d", r"\uDE00", r"\uDBFF", r"\udc00", r"\\", r"\n", r"\"", r"\u0041", "ud800", "x", "é")


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_half_of_a_pair_is_found_where_a_text_holds_one(pieces: str) -> None:
    text = f'"{pieces}"'
    value, refused = read_member(text.encode(), 0)
    theirs = json.loads(text)
    if any("\ud800" <= char <= "\udfff" for char in theirs):
        assert value is None and refused is not None and "lone surrogate" in refused
    else:
        assert (value, refused) == (theirs, None)
