"""The fuzzing targets in small: their seeds, what fuzzing found, and some hundred inputs of hypothesis's."""

from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import condition, json_door, line_protocol, load_bodies, log_reader

MODULES = [json_door, condition, log_reader, line_protocol, load_bodies]
FOUND: dict[ModuleType, list[bytes]] = {
    log_reader: [
        # a table of messages that is longer than its block, checksums right: was struct.error
        bytes.fromhex("0201000a000000050000000000000003000000616263"),
    ],
    load_bodies: [
        # a comma before the end of an array was taken where a block ended behind it
        b'\x07[{"anull": "},{"}, {"a": [1, { 2.5}]}, 7, null,]',
        b'\x07[{"a": 1, "b": "},{"}, {"a": [1, {"b": 2.5}]}, 7, null,]]',
        # records over several lines were taken where there were as many as lines
        b'\x03{"a":\n 1} {"a": 2}\n{"a":1}',
    ],
}
_inputs = st.binary(max_size=400)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_target_stands_its_seeds_and_what_was_found(module: ModuleType) -> None:
    for data in (*module.SEEDS, *FOUND.get(module, [])):
        module.target(data)


@st.composite
def _bent(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with a few bytes left out or put in."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_target_stands_any_bytes(module: ModuleType) -> None:
    target: Callable[[bytes], None] = module.target

    @given(_inputs | _bent(module.SEEDS))
    @settings(max_examples=400, deadline=None)
    def stands(data: bytes) -> None:
        target(data)

    stands()
