"""The log against a list: whatever is done in whatever order, both say the same."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.embedded.log import EmbeddedLog
from streams.embedded.topic import TopicBounds
from streams.log import LogOutOfRange
from tests.streams.embedded.stage import SettableClock, opened

PARTITIONS = 3
PARTITION = st.integers(0, PARTITIONS - 1)
Append = list[tuple[int, bytes]]
Read = tuple[int, int, int]

APPEND = st.lists(st.tuples(PARTITION, st.binary(max_size=120)), min_size=1, max_size=8)
READ = st.tuples(PARTITION, st.integers(0, 40), st.integers(0, 300))
TRIM = st.dictionaries(PARTITION, st.integers(0, 40))
CLOCK = st.integers(0, 100)
REOPEN = st.none()
Step = Append | Read | dict[int, int] | int | None
STEPS: st.SearchStrategy[list[Step]] = st.lists(APPEND | READ | TRIM | CLOCK | REOPEN, max_size=30)


class Model:
    """What the log must hold: all payloads ever appended, where each partition starts, when each came."""

    def __init__(self) -> None:
        self.messages: list[list[tuple[int, bytes]]] = [[] for _ in range(PARTITIONS)]
        self.starts = [0] * PARTITIONS
        self.stamp = 0


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from([1, 300, 100_000]), st.sampled_from([0, 500, 100_000]))
def test_it_does_what_a_list_does(steps: Sequence[Step], segment_bytes: int, tail_bytes: int) -> None:
    with TemporaryDirectory() as directory:
        asyncio.run(compare(Path(directory), steps, segment_bytes, tail_bytes))


async def compare(directory: Path, steps: Sequence[Step], segment_bytes: int, tail_bytes: int) -> None:
    """Do the steps on a log and on a model."""
    model, clock = Model(), SettableClock(0)
    left = list(steps)
    while left:
        async with opened(
            directory,
            partitions=PARTITIONS,
            segment_bytes=segment_bytes,
            bounds=TopicBounds(tail_bytes=tail_bytes),
            clock=clock,
        ) as log:
            for partition in range(PARTITIONS):
                assert log.bounds("writes", partition) == (
                    model.starts[partition],
                    len(model.messages[partition]),
                )
            while left and (step := left.pop(0)) is not None:
                match step:
                    case list():
                        model.stamp = max(model.stamp, clock.now)
                        offsets = await asyncio.gather(*(log.append("writes", p, b) for p, b in step))
                        for (partition, payload), offset in zip(step, offsets, strict=True):
                            assert offset == len(model.messages[partition])
                            model.messages[partition].append((model.stamp, payload))
                    case (partition, offset, max_bytes):
                        check_read(
                            model,
                            partition,
                            offset,
                            max_bytes,
                            await fetched(log, partition, offset, max_bytes),
                        )
                    case dict():
                        await log.trim("writes", step)
                        for partition in range(PARTITIONS):
                            start, end = log.bounds("writes", partition)
                            kept = model.starts[partition]
                            assert kept <= start <= max(kept, min(end, step.get(partition, 0)))
                            model.starts[partition] = start
                    case int():
                        clock.now = step


async def fetched(
    log: EmbeddedLog, partition: int, offset: int, max_bytes: int
) -> list[tuple[int, int, bytes]] | None:
    """Return what the log has there, None where it says that this is out of its range."""
    try:
        return [(*m,) for m in await log.fetch("writes", partition, offset, max_bytes)]
    except LogOutOfRange:
        return None


def check_read(
    model: Model, partition: int, offset: int, max_bytes: int, found: list[tuple[int, int, bytes]] | None
) -> None:
    """Compare what a read found with what the model holds."""
    messages = model.messages[partition]
    if offset > len(messages):
        assert found is None
        return
    if found is None:
        assert offset < model.starts[partition]
        return
    assert found == [
        (offset + n, *message) for n, message in enumerate(messages[offset : offset + len(found)])
    ]
    assert found or offset == len(messages)
    assert len(found) <= 1 or sum(len(payload) for _, _, payload in found) <= max_bytes
