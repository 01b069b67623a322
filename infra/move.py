"""A broker moves from the embedded pair to Kafka and PostgreSQL (`sluice migrate`; infra/moving.md)."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from infra.database import DATABASE, open_store
from infra.drain import alone, drain, ends_of, left, open_alone
from infra.on_kafka import kafka_plan
from infra.parts import Part
from infra.settings import Settings
from infra.units import SECOND
from storage.adoption import adopt
from storage.store import Store
from storage.transfer import Told, copy_all, occupied
from streams.awaiting import on_loop
from streams.kafka.log import KafkaLog
from streams.log import Log
from streams.topics import ALERTS, EVENTS, UPLOADS, WRITES

PATIENCE = 60 * SECOND
"""How long the new database lets a transaction wait for our next rows: one is all of them."""


class MoveError(Exception):
    """The move can't be made; its text says why and what to do. Nothing was changed where it was to go."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A move that was made: rows copied, the new log's identity and its epoch."""

    rows: int
    log: str
    epoch: int


async def move(settings: Settings, say: Callable[[str], None]) -> Moved:
    """Bring what is in the data directory to the log and the database that the settings name.

    The log there is applied to its end first. All of the copy is one transaction, read again and compared
    before it is committed: it is there whole or not at all, and may be begun again.

    Raises: MoveError, DrainError, TransferError, WrongSetting, LogError, DatabaseError, AnotherLogError,
    Later.
    """
    if not (settings.data / DATABASE).exists():
        raise MoveError(f"There is no broker's data in {settings.data}; name its directory with --from.")
    before = alone(settings)
    target = open_store(settings.model_copy(update={"session": PATIENCE}), Part(time.monotonic))
    try:
        await _free(target)
        log = await KafkaLog.open(kafka_plan(settings))
        try:
            await _empty(log, settings)
            await drain(before, say)
            return await _carried(before, target, log, say)
        finally:
            await log.close()
    finally:
        await asyncio.to_thread(target.close)


async def _free(target: Store) -> None:
    there = await on_loop(target.read(occupied))
    if there is not None:
        raise MoveError(
            f"The database has the table {there!r} already: a broker ran on it. Name an empty database, or "
            f"drop that one if nothing in it is wanted."
        )


async def _empty(log: KafkaLog, settings: Settings) -> None:
    for topic in (WRITES, EVENTS, UPLOADS, ALERTS):
        for partition in range(log.partitions):
            if (await log.measure(topic, partition))[1]:
                raise MoveError(
                    f"The topic {log.name_of(topic)} holds messages already: a broker ran on it. Set "
                    f"SLUICE_KAFKA_PREFIX to another prefix than {settings.kafka_prefix!r}."
                )


async def _carried(before: Settings, target: Store, log: Log, say: Callable[[str], None]) -> Moved:
    """Copy, while the old log is held so that no broker can start on it."""
    old_log, source = await open_alone(before)
    try:
        waits = await on_loop(source.read(lambda c: left(c, old_log.identity, ends_of(old_log))))
        if waits:
            raise MoveError(f"Something was written since the log was applied: {waits} left. Begin again.")
        told = _now_and_then(say)

        def body(old: Connection, new: Connection) -> Moved:
            rows = copy_all(old, new, told)
            return Moved(rows, log.identity, adopt(new, log.identity, log.partitions, time.time_ns()))

        def both() -> Moved:
            copied = source.read(lambda old: target.write(lambda new: body(old, new)).result())
            return copied.result()

        return await asyncio.to_thread(both)
    finally:
        await asyncio.to_thread(source.close)
        await old_log.close()


def _now_and_then(say: Callable[[str], None], every: float = 5.0) -> Told:
    """Return what says how far a copy is, a line each some seconds."""
    last = time.monotonic()

    def told(name: str, rows: int) -> None:
        nonlocal last
        if time.monotonic() - last > every:
            last = time.monotonic()
            say(f"{name}: {rows:,} rows so far.")

    return told
