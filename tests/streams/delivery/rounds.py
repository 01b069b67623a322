"""A running courier with its parts, for tests."""

from asyncio import Task, create_task, wait
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import time_ns

from rules.signals import Counter as CounterName
from rules.signals import Gauge, Timing
from streams.delivery.courier import Courier
from streams.delivery.webhook import Webhooks
from tests.streams.delivery.memory_book import MemoryBook

LONG_AGO = 1


@dataclass
class Tally:
    """A meter that keeps what it is told."""

    counts: Counter[str] = field(default_factory=Counter)

    def count(self, name: CounterName, amount: float = 1, /, **labels: str) -> None:
        self.counts[" ".join([name, *labels.values()])] += int(amount)

    def gauge(self, name: Gauge, value: float, /, **labels: str) -> None:
        """Nothing is gauged here."""

    def time(self, name: Timing, seconds: float, /, **labels: str) -> None:
        self.counts[name] += 1


@dataclass
class Hands:
    """A clock that only the test moves."""

    now: int = field(default_factory=time_ns)

    def __call__(self) -> int:
        return self.now


@dataclass
class Round:
    """A running courier and its parts."""

    book: MemoryBook
    courier: Courier
    tally: Tally
    clock: Hands
    running: Task[None]


@asynccontextmanager
async def carrying(
    book: MemoryBook | None = None,
    *,
    most: int = 64,
    each: int = 4,
    deadline: float = 5.0,
    idle: float = 60.0,
    chance: float = 0.5,
) -> AsyncIterator[Round]:
    book = book or MemoryBook()
    tally, clock = Tally(), Hands()
    async with Webhooks(version="1", allow_private=True, deadline=deadline, per_host=most) as out:
        courier = Courier(
            book, out, tally, most=most, each=each, idle=idle, clock=clock, chance=lambda: chance
        )
        running = create_task(courier.run())
        yield Round(book, courier, tally, clock, running)
        await courier.stop(0)
        await wait([running])
