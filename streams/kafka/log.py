"""The log on Apache Kafka: `streams.log.Log` over topics that this program makes and names."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Self

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

from streams.kafka.connection import Connection
from streams.kafka.ends import Ends
from streams.kafka.outbox import Outbox
from streams.kafka.provision import Identity, TopicPlan, provide
from streams.kafka.reader import SECONDS, Fetched, Place, Reader, away
from streams.kafka.sender import Manner, Sender
from streams.log import LogError, LogFailed, LogOutOfRange, LogRefused, Message

logger = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class KafkaPlan:
    """Where a log is and how it is kept.

    `partitions` and the names are fixed once made. `replication` None: as many copies as there are
    brokers, three at most. `quick` names topics for which the leader's word is enough.
    """

    connection: Connection
    prefix: str
    topics: tuple[TopicPlan, ...]
    partitions: int
    replication: int | None = None
    manner: Manner = field(default_factory=Manner)
    quick: frozenset[str] = frozenset()

    def manner_of(self, topic: str) -> Manner:
        """Return how a topic is appended to."""
        if topic in self.quick:
            return Manner(durable=False, patience=self.manner.patience)
        return self.manner


class KafkaLog:
    """A `streams.log.Log` in Kafka, for as many processes at a time as like.

    Each topic has a producer of its own, so that one role's unknown append ends nothing of another's.
    """

    def __init__(self, plan: KafkaPlan, identity: Identity, reader: Reader) -> None:
        self.identity = identity.name
        self.partitions = plan.partitions
        self.connection = plan.connection
        self._plan = plan
        self._identity = identity
        self._reader = reader
        self._loop = asyncio.get_running_loop()
        self._names = {topic.name: identity.topic(plan.prefix, topic.name) for topic in plan.topics}
        self._trouble: dict[str, str] = {}
        self._tell: Callable[[str | None], None] = logger.debug
        self._failure: LogFailed | None = None
        self._on_failure: list[Callable[[LogFailed], None]] = []
        self._ends = Ends(
            reader, self._names, plan.partitions, partial(self._changed, "reading"), self._watch_over
        )
        self._senders = {
            topic: Sender(
                plan.connection, plan.manner_of(topic), name, partial(self._changed, topic), self._watch_over
            )
            for topic, name in self._names.items()
        }
        self._outboxes = {
            topic: Outbox(topic, name, self._senders[topic], partial(self._ends.appended, topic))
            for topic, name in self._names.items()
        }
        self._refusing: LogRefused | None = None
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, plan: KafkaPlan) -> Self:
        """Open the log under a prefix, or make one there.

        Raises: LogAway (Kafka does not answer), LogRefused (another number of partitions, a topic that
        Kafka does not make), LogDamaged.
        """
        identity = await provide(plan.connection, plan.prefix, plan.topics, plan.partitions, plan.replication)
        reader = Reader(plan.connection)
        await reader.open(identity.topic(plan.prefix, topic.name) for topic in plan.topics)
        log = cls(plan, identity, reader)
        try:
            await log._ends.open()
            await asyncio.gather(*(sender.open() for sender in log._senders.values()))
        except (KafkaError, TimeoutError, OSError) as error:
            await log.close(0.0)
            raise away(plan.connection, error) from error
        except LogError:
            await log.close(0.0)
            raise
        return log

    def watched_by(self, tell: Callable[[str | None], None]) -> None:
        """Have `tell` called with what is wrong whenever that changes; None once all is well."""
        self._tell = tell

    def name_of(self, topic: str) -> str:
        """Return what a topic, or a role's group, is called in Kafka."""
        return self._identity.topic(self._plan.prefix, topic)

    def append(self, topic: str, partition: int, payload: bytes) -> asyncio.Future[int]:
        """Return a future of the message's offset, which resolves once every replica in sync has it."""
        future: asyncio.Future[int] = self._loop.create_future()
        if self._refusing is not None:
            future.set_exception(self._refusing.again())
        elif topic not in self._outboxes or not 0 <= partition < self.partitions:
            future.set_exception(_no_such(topic, partition))
        else:
            self._outboxes[topic].append(future, partition, payload)
        return future

    def recent(self, topic: str, partition: int, offset: int, max_bytes: int) -> list[Message] | None:
        """Return no messages at the end as it is known here, None before it: memory holds none."""
        self._find(topic, partition)
        end = self._ends.bounds(topic, partition)[1]
        if offset > end:
            raise LogOutOfRange(f"Offset {offset} is beyond the end of {topic}/{partition}, which is {end}.")
        return [] if offset == end or max_bytes < 0 else None

    async def fetch(self, topic: str, partition: int, offset: int, max_bytes: int) -> list[Message]:
        """Return messages from `offset` on, as Kafka has them now."""
        found = await self._reader.fetch_one(self._find(topic, partition), offset, max_bytes)
        self._ends.seen(topic, partition, found.end)
        return found.messages

    async def fetch_many(self, wanted: Mapping[Place, int], most: int) -> dict[Place, Fetched | LogError]:
        """Return what there is now in these partitions, named as Kafka names them. Raises: LogAway."""
        by_leader: dict[int, dict[Place, int]] = defaultdict(dict)
        for place, offset in wanted.items():
            by_leader[self._reader.leader(place)][place] = offset
        asked = (self._reader.fetch(node, places, most) for node, places in by_leader.items())
        return {place: one for answer in await asyncio.gather(*asked) for place, one in answer.items()}

    def seen(self, topic: str, partition: int, end: int) -> None:
        """Note how far a partition goes, as a fetch told."""
        self._ends.seen(topic, partition, end)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset kept and the next one, as known here: a moment old where others append."""
        self._find(topic, partition)
        return self._ends.bounds(topic, partition)

    async def measure(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset kept and the next one, as Kafka says now. Raises: LogAway."""
        return await self._ends.measure(topic, partition)

    def watch(self, topic: str, callback: Callable[[int], None]) -> Callable[[], None]:
        """Call `callback(partition)` on the loop after messages of that partition became readable.

        At once for what this process appends, within a quarter of a second for what others do.
        """
        self._find(topic, 0)
        return self._ends.watch(topic, callback)

    async def trim(self, topic: str, below: Mapping[int, int], older_than: int | None = None) -> int:
        """Have Kafka delete messages below these offsets (and older); it frees the disk by and by."""
        places = {partition: self._find(topic, partition) for partition in below}
        goals = {place: below[partition] for partition, place in places.items()}
        if older_than is not None and goals:
            young = await self._reader.offsets(dict.fromkeys(goals, older_than))
            # -1: there is none as young
            goals = {p: goal if young[p] < 0 else min(goal, young[p]) for p, goal in goals.items()}
        goals = {place: goal for place, goal in goals.items() if goal > self._ends.start(place)}
        if goals:
            before = self._ends.size(topic)
            await self._delete(goals)
            await self._ends.renew_starts()
            return max(0, before - self._ends.size(topic))
        return 0

    def size(self, topic: str) -> int:
        """Return the bytes the topic's messages take on all brokers, as last measured."""
        self._find(topic, 0)
        return self._ends.size(topic)

    def on_failure(self, callback: Callable[[LogFailed], None]) -> None:
        """Call it where a task that keeps the log going dies; that Kafka is away is none (`watched_by`)."""
        if self._failure is None:
            self._on_failure.append(callback)
        else:
            callback(self._failure)

    async def close(self, deadline: float = _CLOSE_SECONDS) -> None:
        """Wait for what was appended, `deadline` seconds at most, and let go of the connections."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close(deadline))
        await asyncio.shield(self._closing)

    async def _close(self, deadline: float) -> None:
        self._refusing = LogRefused("The log is closed.")
        outboxes = self._outboxes.values()
        try:
            async with asyncio.timeout(deadline):
                await asyncio.gather(*(outbox.flush() for outbox in outboxes))
        except TimeoutError:
            await asyncio.gather(*(outbox.abandon() for outbox in outboxes))
        await self._ends.close()
        await asyncio.gather(*(sender.close() for sender in self._senders.values()))
        await self._reader.close()

    async def _delete(self, goals: Mapping[Place, int]) -> None:
        admin = AIOKafkaAdminClient(**self.connection.options(SECONDS))
        try:
            await admin.start()
            await admin.delete_records(
                {TopicPartition(*place): RecordsToDelete(goal) for place, goal in goals.items()}
            )
        except (KafkaError, TimeoutError, OSError) as error:
            raise away(self.connection, error) from error
        finally:
            await admin.close()

    def _find(self, topic: str, partition: int) -> Place:
        name = self._names.get(topic)
        if name is None or not 0 <= partition < self.partitions:
            raise _no_such(topic, partition)
        return name, partition

    def _watch_over(self, task: asyncio.Task[None]) -> None:
        task.add_done_callback(self._died)

    def _died(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None or self._failure is not None:
            return
        logger.error("%s died.", task.get_name(), exc_info=error, extra={"action": "task_died"})
        self._failure = LogFailed(f"{task.get_name()} died of {error!r}")
        for callback in self._on_failure:
            callback(self._failure)

    def _changed(self, part: str, wrong: str | None) -> None:
        before = bool(self._trouble)
        if wrong is None:
            self._trouble.pop(part, None)
        else:
            self._trouble[part] = wrong
        if self._trouble and not before:
            logger.warning("Kafka is away: %s", wrong, extra={"action": "log_away"})
        elif before and not self._trouble:
            logger.info("Kafka answers again.", extra={"action": "log_back"})
        if self._trouble or before:
            self._tell("; ".join(self._trouble.values()) or None)


def _no_such(topic: str, partition: int) -> LogRefused:
    return LogRefused(f"The log has no partition {partition} of a topic {topic!r}.")
