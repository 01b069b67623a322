"""Bodies fed to a decoder in whatever pieces, and what came of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from api.decode.blocks import Block, Blocks, Place
from api.decode.sniff import HEAD, blocks_of, sniff
from rules.limits import Limits

LIMITS = Limits()


class Decoded(NamedTuple):
    """All rows, their indexes and lines, and (index, line, code) of those that can't be read."""

    rows: list[Any]
    indexes: list[int]
    lines: list[int]
    refused: list[tuple[int, int, str]]


def blocks_in(
    body: bytes, cuts: Sequence[int] = (), limits: Limits = LIMITS, place: Place | None = None
) -> list[Block]:
    """Return the blocks of a body that comes in pieces ending at `cuts`, from a place on."""
    form = sniff(body[:HEAD], limits)
    begin = place or form.begin
    return fed(blocks_of(form, begin, limits), body, begin.at, cuts)


def fed(blocks: Blocks, body: bytes, begin: int, cuts: Sequence[int]) -> list[Block]:
    found: list[Block] = []

    def take() -> None:
        while (block := blocks.next()) is not None:
            found.append(block)

    at = begin
    for cut in sorted({*(cut for cut in cuts if begin < cut < len(body)), len(body)}):
        blocks.feed(body[at:cut])
        at = cut
        take()
    blocks.end()
    take()
    return found


def decoded(blocks: Sequence[Block]) -> Decoded:
    """Return what the blocks hold together."""
    return Decoded(
        [row for block in blocks for row in block.rows],
        [index for block in blocks for index in block.indexes],
        [line for block in blocks for line in block.lines],
        [(one.index, one.line, one.code.name) for block in blocks for one in block.refused],
    )
