"""By what right a worker holds its partitions on Kafka: the generation of its consumer group.

Generations count up with each rebalance, so of two workers that both believe they have a partition the later
one has the higher number. They begin anew when a group has been empty for long (seen: 1, 3, 5, 7, all gone,
1). A worker that answers for the same generation over two session timeouts can't be one that slept through a
rebalance: nobody else has a right to its partitions, whatever number is stored.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from streams.agents.partition import Lost

SESSIONS: Final = 2.0


@dataclass(slots=True)
class GroupHold:
    """The hold of one worker. `session` and `heartbeat` in seconds.

    `ask` is set by the transport: whether Kafka takes this worker for a member at this generation, asked
    of Kafka itself.
    """

    session: float
    heartbeat: float
    generation: int = 0
    ask: Callable[[int], Awaitable[bool]] | None = None

    async def proven(self, generation: int) -> None:
        """Return once Kafka has said so, heartbeat by heartbeat, for two session timeouts.

        A gap of a session between two answers begins the count again: the process may have been stopped.

        Raises: Lost, where the generation is another one, or Kafka says no.
        """
        clock = asyncio.get_running_loop().time
        since = last = clock()
        while last - since < SESSIONS * self.session:
            await asyncio.sleep(self.heartbeat)
            if self.generation != generation or self.ask is None or not await self.ask(generation):
                raise Lost
            now = clock()
            if now - last >= self.session:
                since = now
            last = now
