"""Naming a new log, where the broker goes away in the middle of it."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from streams.kafka import provision
from streams.kafka.connection import Connection


async def test_a_name_that_no_broker_takes_holds_up_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    async def started(_: object) -> None:
        """As if the broker had been there a moment ago."""

    monkeypatch.setattr(provision, "SECONDS", 0.05)
    monkeypatch.setattr(AIOKafkaProducer, "start", started)
    for waiting in ("send_and_wait", "stop"):
        monkeypatch.setattr(AIOKafkaProducer, waiting, silent)
    proposing = asyncio.create_task(provision._propose(Connection(("127.0.0.1:1",)), "t", 1))
    await asyncio.wait({proposing}, timeout=10)
    assert proposing.done()
    assert isinstance(proposing.exception(), TimeoutError)
