"""A body that comes too slowly is given up: what is not whole yet holds memory that others wait for."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest

from api.entry import body
from api.entry.body import receive_body
from api.entry.inflight import Inflight
from rules.errors import Problem


def pieces(count: int, every: float, size: int = 1) -> Any:
    """Return an ASGI `receive` that gives `count` pieces, one each `every` seconds."""
    numbers: Iterator[int] = iter(range(count))

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(every)
        number = next(numbers)
        return {"type": "http.request", "body": b"x" * size, "more_body": number < count - 1}

    return receive


async def test_a_byte_now_and_then_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_GRACE", 0.1)
    inflight = Inflight(1000)
    held = inflight.hold("w", 0)
    with pytest.raises(Problem, match="are the least"):
        await receive_body(pieces(1000, 0.01), {}, held, 10_000, 10_000)
    held.release()
    assert inflight.total == 0


async def test_a_body_that_keeps_its_pace_may_take_longer_than_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body, "_GRACE", 0.01)
    monkeypatch.setattr(body, "_PACE", 100)
    held = Inflight(10_000).hold("w", 0)
    whole = await receive_body(pieces(10, 0.01, size=100), {}, held, 10_000, 10_000)
    assert len(whole) == 1_000


async def test_silence_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_SILENCE", 0.05)
    with pytest.raises(Problem, match="Nothing of the body came"):
        await receive_body(pieces(2, 60.0), {}, Inflight(10).hold("w", 0), 10, 10)
