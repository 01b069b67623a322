"""Waiting for news of partitions: long polls over connections of their own, one a broker at a time."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from streams.kafka.connection import Connection
from streams.kafka.reader import Fetched, Place, Reader
from streams.log import LogAway, LogError

AGAIN: Final = 0.2

Found = dict[Place, tuple[int, Fetched | LogError]]
"""For each partition what was asked for, and what came."""


class Poller:
    """Asks brokers to answer as soon as there is a message."""

    def __init__(self, connection: Connection, topic: str) -> None:
        self._reader = Reader(connection)
        self._topic = topic
        self._under_way: dict[int, asyncio.Task[Found]] = {}
        self._opening: asyncio.Task[None] | None = None

    def begin(self, wanted: Mapping[Place, int], most: int, wait: float) -> None:
        """Ask every broker that is not asked yet for what it leads of these partitions.

        Raises: whatever the connections could not be made for, but that Kafka does not answer.
        """
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        if not self._opening.done():
            return
        self._opening.result()
        by_leader: dict[int, dict[Place, int]] = defaultdict(dict)
        for place, offset in wanted.items():
            try:
                by_leader[self._reader.leader(place)][place] = offset
            except LogAway:
                continue  # nobody leads it now; it is asked for again
        for node, places in by_leader.items():
            if node not in self._under_way:
                self._under_way[node] = asyncio.create_task(self._ask(node, places, most, wait))

    async def wait(self, woken: asyncio.Event, seconds: float) -> Found:
        """Return what came, as soon as something did, `woken` was set, or the time is over."""
        waking = asyncio.create_task(woken.wait())
        try:
            await asyncio.wait(
                {waking, *self._under_way.values()}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waking.cancel()
        found: Found = {}
        for node in [node for node, task in self._under_way.items() if task.done()]:
            found.update(self._under_way.pop(node).result())
        return found

    async def close(self) -> None:
        """Ask no more."""
        tasks = [*self._under_way.values(), *([self._opening] if self._opening else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._under_way.clear()
        await self._reader.close()

    async def _open(self) -> None:
        while True:
            try:
                await self._reader.open([self._topic])
            except LogAway:
                await asyncio.sleep(AGAIN)
            else:
                return

    async def _ask(self, node: int, places: Mapping[Place, int], most: int, wait: float) -> Found:
        try:
            found = await self._reader.fetch(node, places, most, wait)
        except LogAway:
            await asyncio.sleep(AGAIN)
            return {}
        return {place: (places[place], one) for place, one in found.items()}
