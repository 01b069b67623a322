"""By what right a worker holds its partitions on Kafka: the generation of its consumer group.

Generations count up with each rebalance, so of two workers that both believe they have a partition the later
one has the higher number. They begin anew when a group has been empty for long (seen: 1, 3, 5, 7, all gone,
1). A worker that answers for the same generation over two session timeouts can't be one that slept through a
rebalance: nobody else has a right to its partitions, whatever number is stored.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from rules.errors import Later
from streams.agents.partition import Lost

SESSIONS: Final = 2.0
SILENT: Final = 5.0
"""Sessions without any answer after which the claim is tried anew, which is said aloud."""


@dataclass(slots=True)
class GroupHold:
    """The hold of one worker. `session` and `heartbeat` in seconds, as `clock` counts them.

    `ask` is set by the transport: whether Kafka takes this worker for a member at this generation, asked
    of Kafka itself; None where it does not answer.
    """

    session: float
    heartbeat: float
    generation: int = 0
    ask: Callable[[int], Awaitable[bool | None]] | None = None
    clock: Callable[[], float] = time.monotonic

    async def proven(self, generation: int) -> None:
        """Return once Kafka has said so, heartbeat by heartbeat, for two session timeouts.

        A gap of a session between two answers begins the count again: the process may have been stopped, or
        Kafka was away and another one may have joined meanwhile.

        Raises: Lost, where the generation is another one, or Kafka says no; Later, where it says nothing.
        """
        since = last = self.clock()
        while last - since < SESSIONS * self.session:
            await asyncio.sleep(self.heartbeat)
            if self.generation != generation or self.ask is None:
                raise Lost
            member = await self.ask(generation)
            now = self.clock()
            if member is None:
                if now - last > SILENT * self.session:
                    raise Later("Kafka does not say whether this worker is a member of its group")
                continue
            if not member:
                raise Lost
            if now - last >= self.session:
                since = now
            last = now
