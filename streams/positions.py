"""Where a role goes on in a partition: claimed with a token, read from the store, checked against the log."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from rules.errors import Halt, Later
from rules.limits import Limits
from storage import offsets
from storage.offsets import NotHere, NotOurs, Place, Token
from storage.store import Store
from streams.agents.partition import Lost, Seek
from streams.awaiting import on_loop
from streams.log import Log, LogAway

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Hold(Protocol):
    """By what right a worker claims its partitions."""

    @property
    def generation(self) -> int:
        """A number that whoever comes later has a higher one of, but where numbers began anew."""

    async def proven(self, generation: int) -> None:
        """Return once it is sure that no other worker has a right to what this generation was given.

        Raises: Lost where another may have, or the generation has passed.
        """


@dataclass(frozen=True, slots=True)
class RunHold:
    """The hold of a process that has its log to itself: the number of its run, which the database gave."""

    generation: int

    async def proven(self, generation: int) -> None:  # noqa: ARG002 - the protocol's
        """Never: runs count up in the database that refused this one.

        Raises: Lost.
        """
        raise Lost


@dataclass(frozen=True, slots=True)
class Setting:
    """What an agent is given: the log's epoch in the database, its hold, the clock (ns)."""

    epoch: int
    hold: Hold
    clock: Callable[[], int]
    limits: Limits


async def claim(store: Store, log: Log, role: str, topic: str, partition: int, hold: Hold) -> Place:
    """Take a partition over for a role and return where it goes on.

    Raises: Lost where another holds it by a better right; Later; Halt, which stops the partition, where
    the log can't have that place.
    """
    try:
        start, _ = await log.measure(topic, partition)
        place = await take_over(store, log, role, partition, hold, start)
        start, end = await log.measure(topic, partition)
    except LogAway as error:
        raise Later(str(error)) from error
    if not start <= place.next <= end:
        raise Halt(
            f"the database has applied {role} of partition {partition} up to offset {place.next}, but the "
            f"log holds {start} to {end}: the two are not of the same time. Restore both from one backup."
        )
    return place


async def take_over(store: Store, log: Log, role: str, partition: int, hold: Hold, start: int) -> Place:
    """Make a role's row in a partition this worker's; a role that was never here begins at `start`.

    Raises: Lost where another holds it by a better right; Later.
    """
    while True:
        generation = hold.generation
        try:
            return await _taken_with(store, log, role, partition, generation, start, hold)
        except (NotOurs, Lost) as refused:
            if hold.generation == generation:
                raise Lost from refused
            # the partition was assigned anew meanwhile, and that is another right


async def _taken_with(
    store: Store, log: Log, role: str, partition: int, generation: int, start: int, hold: Hold
) -> Place:
    try:
        return await _taken(store, log, role, partition, generation, start, None)
    except NotOurs as refused:
        await hold.proven(generation)
        place = await _taken(store, log, role, partition, generation, start, refused.holder)
        logger.warning(
            "Partition %d of %s was held by %s, and generations have begun anew: this worker answered "
            "for generation %d all along and goes on in incarnation %d.",
            partition, role, refused.holder, generation, place.token.incarnation,
            extra={"action": "incarnation_raised"},
        )  # fmt: skip
        return place


async def _taken(
    store: Store, log: Log, role: str, partition: int, generation: int, start: int, over: Token | None
) -> Place:
    """Claim with a generation in the incarnation that the row has, or, over the token given, in the next."""

    def body(c: Connection) -> Place:
        held = offsets.holder(c, log.identity, role, partition)
        incarnation = 0 if held is None else held.incarnation + (held == over)
        return offsets.claim(c, log.identity, role, partition, Token(incarnation, generation), start)

    return await on_loop(store.write(body))


async def committed(future: "Future[T]", counted: Callable[[T], object] | None = None) -> T:
    """Await a transaction of a partition; say what the task must do where it was not ours to write.

    `counted` is told the result of what was committed, on whatever thread, before this returns: also where
    nobody awaits it any more, for the partition was given away in the middle of the commit.
    """
    if counted is not None:
        future.add_done_callback(partial(_counted, counted))
    try:
        return await on_loop(future)
    except NotHere as elsewhere:
        raise Seek(elsewhere.next) from elsewhere
    except NotOurs as lost:
        raise Lost from lost


def _counted(counted: Callable[[T], object], done: "Future[T]") -> None:
    if not done.cancelled() and done.exception() is None:
        counted(done.result())
