"""Where a role goes on in a partition: claimed with a token, read from the store, checked against the log."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from rules.errors import Halt
from rules.limits import Limits
from storage import offsets
from storage.offsets import NotHere, NotOurs, Place, Token
from storage.store import Store
from streams.agents.partition import Lost, Seek
from streams.awaiting import on_loop
from streams.log import Log

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """What both agents are given: the log's epoch in the database, our token, the clock (ns)."""

    epoch: int
    token: Token
    clock: Callable[[], int]
    limits: Limits


async def claim(store: Store, log: Log, role: str, topic: str, partition: int, token: Token) -> Place:
    """Take a partition over for a role and return where it goes on.

    Raises: Lost where a higher token holds it; Halt, which stops the partition, where the log
    can't have that place.
    """
    start, end = log.bounds(topic, partition)
    place = await committed(
        store.write(lambda c: offsets.claim(c, log.identity, role, partition, token, start))
    )
    if not start <= place.next <= end:
        raise Halt(
            f"the database has applied {role} of partition {partition} up to offset {place.next}, but the "
            f"log holds {start} to {end}: the two are not of the same time. Restore both from one backup."
        )
    return place


async def committed(future: "Future[T]") -> T:
    """Await a transaction of a partition; say what the task must do where it was not ours to write."""
    try:
        return await on_loop(future)
    except NotHere as elsewhere:
        raise Seek(elsewhere.next) from elsewhere
    except NotOurs as lost:
        raise Lost from lost
