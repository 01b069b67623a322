"""Events for which the log has no room: told in order all the same; one that overtakes hides the rest."""

import asyncio

import pytest

from rules.errors import Later
from streams.log import LogRefused
from streams.topics import EVENTS
from tests.streams.agents.floor import Floor, a_write

TEXT = "x" * 600_000


class FullOnce:
    """A log's `append` that has no room for the first message of `events` it is given."""

    def __init__(self, here: Floor) -> None:
        self._append = here.log.append
        self.refused = False

    def __call__(self, topic: str, partition: int, payload: bytes) -> "asyncio.Future[int]":
        if topic != EVENTS or self.refused:
            return self._append(topic, partition, payload)
        self.refused = True
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_exception(LogRefused("The disk has no room."))
        return future


async def test_a_word_that_fits_does_not_overtake_one_that_does_not(
    here: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    properties = {"id": {"type": "string"}, "text": {"type": "string"}}
    dataset = await here.dataset(schema={"type": "object", "properties": properties}, mode="strict")
    await here.rule(id="all", on="d", where="id != ''")
    for n in range(4):
        await here.written(a_write(dataset, [{"id": str(n), "text": TEXT}]))
    persist, messages = await here.persist(), await here.messages()
    monkeypatch.setattr(here.log, "append", FullOnce(here))
    with pytest.raises(Later):
        await persist.apply(0, messages)
    await persist.apply(0, messages)
    assert [alert.event["id"] for alert in await here.judged()] == ["0", "1", "2", "3"]
