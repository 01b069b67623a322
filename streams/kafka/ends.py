"""Where the partitions of a log begin and end, and who wants to know when they grow.

What this process appends is known at once. What others append is asked for: each quarter of a second while
anybody watches, each second while nobody does. The same question tells whether Kafka answers at all.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from streams.kafka.reader import END, START, Place, Reader
from streams.log import LogAway, LogError

WATCHED: Final = 0.25
UNWATCHED: Final = 1.0
SLOWLY: Final = 10.0
"""Seconds between questions: for the ends, and for starts and sizes."""

LED_WITHIN: Final = 10.0

PATIENCE: Final = 2.0
"""Seconds without an answer after which Kafka is said to be away."""


class Ends:
    """Starts, ends and sizes as last known. `changed` hears what is wrong, None once it is well.

    `watch` is given the task that asks, which must not end by itself.
    """

    def __init__(
        self,
        reader: Reader,
        names: Mapping[str, str],
        partitions: int,
        changed: Callable[[str | None], None],
        watch: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._reader = reader
        self._names = names
        self._topics = {name: topic for topic, name in names.items()}
        self._places = [(name, p) for name in names.values() for p in range(partitions)]
        self._starts: dict[Place, int] = dict.fromkeys(self._places, 0)
        self._ends: dict[Place, int] = dict.fromkeys(self._places, 0)
        self._sizes: dict[str, int] = dict.fromkeys(names, 0)
        self._watchers: dict[str, list[Callable[[int], None]]] = {topic: [] for topic in names}
        self._changed = changed
        self._watch = watch
        self._asking: asyncio.Task[None] | None = None
        self._sooner = asyncio.Event()

    async def open(self) -> None:
        """Ask for everything once, then go on asking. Raises: LogError.

        Brokers take a moment to lead a topic that was just made, after they are named as its leaders.
        """
        deadline = asyncio.get_running_loop().time() + LED_WITHIN
        while True:
            try:
                await self.renew_starts()
                self._ends.update(await self._reader.offsets(dict.fromkeys(self._places, END)))
                break
            except LogAway:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.05)
        self._asking = asyncio.create_task(self._ask(), name="log-ends")
        self._watch(self._asking)

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return start and end as last known."""
        place = (self._names[topic], partition)
        return self._starts[place], self._ends[place]

    def start(self, place: Place) -> int:
        """Return the offset of the first message kept."""
        return self._starts[place]

    def size(self, topic: str) -> int:
        """Return the bytes on disk as last measured, and what was appended here since."""
        return self._sizes[topic]

    async def measure(self, topic: str, partition: int) -> tuple[int, int]:
        """Return start and end as Kafka says now. Raises: LogAway."""
        place = (self._names[topic], partition)
        self._starts.update(await self._reader.offsets({place: START}))
        self.seen(topic, partition, (await self._reader.offsets({place: END}))[place])
        return self.bounds(topic, partition)

    def appended(self, topic: str, partition: int, end: int, size: int) -> None:
        """Note what this process has appended."""
        self._sizes[topic] += size
        self.seen(topic, partition, end)

    def seen(self, topic: str, partition: int, end: int) -> None:
        """Note how far a partition goes, and tell who watches."""
        place = (self._names[topic], partition)
        if end > self._ends[place]:
            self._ends[place] = end
            for watcher in tuple(self._watchers[topic]):
                self._call(watcher, partition)

    def watch(self, topic: str, callback: Callable[[int], None]) -> Callable[[], None]:
        """Call `callback` with each partition that has grown; the function returned ends it."""
        watchers = self._watchers[topic]
        watchers.append(callback)
        self._sooner.set()

        def unwatch() -> None:
            if callback in watchers:
                watchers.remove(callback)

        return unwatch

    async def renew_starts(self) -> None:
        """Ask for the starts and the sizes. Raises: LogError."""
        self._starts.update(await self._reader.offsets(dict.fromkeys(self._places, START)))
        for name, size in (await self._reader.sizes(self._places)).items():
            self._sizes[self._topics[name]] = size

    async def _ask(self) -> None:
        clock = asyncio.get_running_loop().time
        answered = slowly = clock()
        while True:
            watched = any(self._watchers.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCHED if watched else UNWATCHED):
                    await self._sooner.wait()
            self._sooner.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    for (name, p), end in (
                        await self._reader.offsets(dict.fromkeys(self._places, END))
                    ).items():
                        self.seen(self._topics[name], p, end)
                    if clock() - slowly > SLOWLY:
                        slowly = clock()
                        await self.renew_starts()
            except (LogError, TimeoutError) as error:
                if clock() - answered > PATIENCE:
                    self._changed(str(error) or "Kafka does not answer.")
            else:
                answered = clock()
                self._changed(None)

    def _call(self, watcher: Callable[[int], None], partition: int) -> None:
        try:
            watcher(partition)
        # One watcher must not keep the others from being told.
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "A watcher of the log failed.", "exception": error}
            )
