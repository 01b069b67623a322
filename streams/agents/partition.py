"""One ordered task a partition: take a chunk, apply it, try again on Later, end on revoke.

The agent's body only hands chunks over (`PartitionTask.give`): a body that waits holds up every other
partition and the whole rebalance, one that raises loses its message.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from rules.errors import Halt, Later
from rules.signals import Meter
from streams.log import Message

logger = logging.getLogger(__name__)

BREATH: Final = 1.0
LONGEST_BREATH: Final = 0.01

HANDED_OVER_WITHIN: Final = 5.0
"""Seconds after which a chunk that was fetched and not handed over is taken for lost."""

CHUNK_BYTES: Final = 2 * 1024 * 1024
RETRY_FIRST: Final = 0.05
RETRY_MOST: Final = 5.0


class Chunk(NamedTuple):
    """Consecutive messages of one partition, fetched together."""

    partition: int
    messages: Sequence[Message]


class Seek(Exception):
    """The store has applied up to `next`, not up to where this chunk begins."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(f"continue at {next_offset}")
        self.next = next_offset


class Lost(Exception):
    """The partition belongs to another worker now."""


class Step(Protocol):
    """What a role does with a partition; `persist` and `judge` are the two.

    Both may raise Later (tried again, in order), Seek and Lost; anything else stops the partition.
    """

    role: str

    async def claim(self, partition: int) -> int:
        """Make the partition this worker's own and return the offset to continue at."""
        ...

    async def apply(self, partition: int, messages: Sequence[Message]) -> None:
        """Apply consecutive messages completely, in one transaction, or raise and have applied none."""
        ...


class PartitionTask:
    """Runs one role's step over one partition, in order.

    `room` is called whenever the task can take another chunk. At most one chunk waits while one is
    being applied, so a partition holds at most twice `CHUNK_BYTES`.

    Applying costs nearly the same for one message as for a hundred. So after a chunk the task breathes:
    it takes no other for as long as that one took, 10 ms at the most, unless `hurry` says that
    somebody waits. An idle broker feels nothing of it, a loaded one gets large batches.
    """

    def __init__(
        self, step: Step, partition: int, room: Callable[[], None], hurry: Callable[[], bool], meter: Meter
    ) -> None:
        self.partition = partition
        self._hurry = hurry
        self._breathing = False
        self._loop = asyncio.get_running_loop()
        self.stopped: str | None = None
        self.claimed = asyncio.Event()
        self._step = step
        self._room = room
        self._meter = meter
        self._position: int | None = None
        self._expected = 0
        self._ours = False
        self._on_its_way: tuple[int, float] | None = None
        self._waiting: Chunk | None = None
        self._arrived = asyncio.Event()
        self._missing: int | None = None
        self._astray = False
        self._task: asyncio.Task[None] | None = None
        self._on_stopped: Callable[[str], None] = logger.debug

    @property
    def wanted(self) -> int | None:
        """The offset to fetch from, or None while there is no room or no claim."""
        if self._waiting is not None or (self._breathing and not self._hurry()):
            return None
        if self._on_its_way is not None:
            begin, since = self._on_its_way
            if self._loop.time() - since < HANDED_OVER_WITHIN:
                return None
            self._position, self._on_its_way = begin, None  # it was lost on its way: read it again
        return self._position

    def fetched(self, next_offset: int) -> None:
        """Note that messages below `next_offset` are on their way to `give`."""
        assert self._position is not None, "only what is wanted is fetched"
        self._on_its_way = (self._position, self._loop.time())
        self._position = next_offset

    def give(self, chunk: Chunk) -> None:
        """Take the chunk that was on its way. Any other (fetched before a seek) is dropped."""
        if self.stopped is None and self._on_its_way is not None:
            begin, _ = self._on_its_way
            if chunk.messages[0].offset == begin:
                self._on_its_way = None
                self._waiting = chunk
                self._position = chunk.messages[-1].offset + 1  # less may come than was on its way
                self._arrived.set()

    def refetch(self) -> None:
        """Want again what was on its way: a rebalance has thrown it away."""
        if self._on_its_way is not None:
            self._position, self._on_its_way = self._on_its_way[0], None
            self._room()

    @property
    def applied(self) -> int | None:
        """The offset below which everything is applied, as far as this task knows; None unless claimed."""
        return self._expected if self._ours else None

    def fail(self, why: str) -> None:
        """Go on no further: what comes next can't be had."""
        if self._task is not None:
            self._task.cancel()
        self._stop(why)
        logger.error(
            "Partition %d of %s stopped: %s", self.partition, self._step.role, why,
            extra={"action": "partition_stopped"},
        )  # fmt: skip

    def astray(self, offset: int, why: str) -> None:
        """The log has nothing at `offset`: ask the store anew where to go on, and if there, stop.

        Another worker may have had the partition meanwhile, applied what stood there, and trimmed it (seen:
        a process that was stopped past its session).
        """
        if offset == self._missing:
            self.fail(why)
        elif self.stopped is None:
            self._missing, self._astray, self._position = offset, True, None
            self._arrived.set()

    def start(self, on_stopped: Callable[[str], None]) -> asyncio.Task[None]:
        """Claim the partition and begin; `on_stopped` is told why if it does not go on."""
        self._on_stopped = on_stopped
        self._task = asyncio.create_task(self._run(), name=f"{self._step.role}-{self.partition}")
        return self._task

    async def end(self) -> None:
        """Let go of the partition: the batch under way is left, as a crash would leave it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._position = None
        self._waiting = None
        self._ours = False
        self.claimed.set()  # nobody waits for it any more

    async def _run(self) -> None:
        try:
            while True:
                await self._claim()
                with suppress(Lost):  # it may be ours again: the claim tells
                    await self._work()
        except Lost:
            self._stop("another worker has taken it over")
        except Exception as error:
            # any other text may hold what a caller sent, and /ready asks for no token
            self._stop(str(error) if isinstance(error, Halt) else f"{type(error).__name__}; the log says why")
            logger.exception(
                "Partition %d of %s stopped: %s. Nothing after offset %d is applied until it is mended and "
                "the broker is started again.",
                self.partition,
                self._step.role,
                error,
                self._expected,
                extra={"action": "partition_stopped"},
            )

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._astray:
                self._astray = False
                raise Lost
            chunk, self._waiting = self._waiting, None
            if chunk is None:
                continue
            if chunk.messages[0].offset != self._expected:
                self._go_on_at(self._expected)
                continue
            self._breathing = True
            began = self._loop.time()
            try:
                await self._apply(chunk)
            finally:
                took = self._loop.time() - began
                self._loop.call_later(min(took * BREATH, LONGEST_BREATH), self._breathed)
            self._meter.time("apply_seconds", took, role=self._step.role)

    def _breathed(self) -> None:
        self._breathing = False
        self._room()

    async def _claim(self) -> None:
        async for attempt in self._retrying():
            with attempt:
                self._go_on_at(await self._step.claim(self.partition))
        self._ours = True
        self.claimed.set()

    async def _apply(self, chunk: Chunk) -> None:
        try:
            async for attempt in self._retrying():
                with attempt:
                    await self._step.apply(self.partition, chunk.messages)
        except Seek as seek:
            self._go_on_at(seek.next)
        else:
            self._expected = chunk.messages[-1].offset + 1
            self._missing = None

    def _go_on_at(self, offset: int) -> None:
        self._position = self._expected = offset
        self._waiting = self._on_its_way = None
        self._room()

    def _stop(self, reason: str) -> None:
        self.stopped = reason
        self._on_stopped(f"partition {self.partition} stopped: {reason}")
        self.claimed.set()
        self._position = None
        self._waiting = None

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception_type(Later),
            wait=wait_exponential_jitter(initial=RETRY_FIRST, max=RETRY_MOST, jitter=RETRY_FIRST),
            before_sleep=self._say_retry,
            reraise=True,
        )

    def _say_retry(self, state: RetryCallState) -> None:
        self._meter.count("retries_total", role=self._step.role)
        error = state.outcome.exception() if state.outcome else None
        level = (
            logging.WARNING
            if state.attempt_number in (1, 5) or not state.attempt_number % 20
            else logging.DEBUG
        )
        logger.log(
            level,
            "Partition %d of %s can't go on now (%s); it is tried again.",
            self.partition,
            self._step.role,
            error,
            extra={"action": "batch_retried"},
        )
