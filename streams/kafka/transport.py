"""A Faust transport on Kafka, `kafka-sluice://`: Faust's own, but for what it reads and commits.

Faust's consumer joins the group, answers heartbeats from a thread of its own, and assigns. It is never let
fetch: chunks come from `streams.kafka.reader`, for partitions whose task has claimed its place and has room.
While all are full it goes on polling, or the member would be thought dead and leave the group. What is
committed to Kafka is how far partitions are applied, for lag monitors; nothing reads it here.
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import Producer as FaustProducer
from faust.types import TP

from streams.agents.intake import ChunkConsumer, Intake, NoProducer
from streams.agents.partition import CHUNK_BYTES, Chunk
from streams.kafka.hold import GroupHold
from streams.kafka.log import KafkaLog
from streams.kafka.poller import Poller
from streams.kafka.reader import Fetched, Place
from streams.kafka.source import SCHEME, KafkaSource
from streams.log import LogAway, LogError, LogOutOfRange

logger = logging.getLogger(__name__)

IDLE: Final = 0.5
"""Longest that a broker waits for news, in seconds."""

BUSY: Final = 0.05
"""And while a partition has no room: it would have to wait for the answer when it has some again."""

COMMIT: Final = 2.0
POLLS_WITHIN: Final = 60.0
"""Seconds a worker may not poll before it leaves the group: its loop hangs."""


class KafkaIntake(Intake):
    """A worker whose log is Kafka's."""

    log: KafkaLog
    source: KafkaSource


class Listener(driver.ConsumerRebalanceListener):
    """Hears of partitions on the consumer's thread, and keeps aiokafka from fetching them."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Pause them, then go on as Faust does."""
        self._thread._ensure_consumer().pause(*assigned)
        await super().on_partitions_assigned(assigned)


class Thread(driver.AIOKafkaConsumerThread):
    """Faust's thread around aiokafka's consumer: the group's member."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:  # noqa: ARG002 - Faust's signature
        intake: KafkaIntake = self.app.intake  # type: ignore[attr-defined]
        source = intake.source
        hold = source.hold
        assert hold is not None, "a Kafka source has a hold"
        rebalance = max(2 * hold.session, 10.0)
        return AIOKafkaConsumer(
            # a join is answered once all have joined, or the rebalance gives up on those who have not
            **intake.log.connection.options(rebalance + 10.0),
            group_id=source.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            session_timeout_ms=int(hold.session * 1000),
            heartbeat_interval_ms=int(hold.heartbeat * 1000),
            rebalance_timeout_ms=int(rebalance * 1000),
            max_poll_interval_ms=int(POLLS_WITHIN * 1000),
        )

    def stay(self) -> None:
        """Say that this worker polls. Only a number is set, so any thread may.

        Raises: KafkaError, where the member has given up: aiokafka tells it to whoever fetches, and then
        neither answers heartbeats nor joins again.
        """
        consumer = self._ensure_consumer()
        with consumer._subscription.fetch_context():
            pass
        given_up: KafkaError | None = consumer._coordinator._pending_exception
        if given_up is not None:
            raise given_up

    async def tell(self, offsets: Mapping[TP, int], within: float) -> bool | None:
        """Commit offsets; return whether Kafka took them, None where it did not say.

        Never waits longer than that, never raises.
        """
        told: bool | None = await self.call_thread(self._tell, offsets, within)
        return told

    async def _tell(self, offsets: Mapping[TP, int], within: float) -> bool | None:
        consumer = self._ensure_consumer()
        mine = consumer.assignment()
        places = {TopicPartition(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
        wanted = {tp: OffsetAndMetadata(offset, "") for tp, offset in places.items() if tp in mine}
        if not wanted:
            return False
        try:
            async with asyncio.timeout(within):
                await consumer.commit(wanted)
        except (KafkaError, TimeoutError, OSError) as error:
            logger.debug("Kafka was not told how far partitions are applied: %s", error)
            return False if isinstance(error, CommitFailedError) else None
        return True

    def generation(self) -> int:
        """Return the generation this member is in now; -1 while it is in none."""
        return int(self._ensure_consumer()._coordinator.generation)


class Consumer(ChunkConsumer, driver.Consumer):
    """Reads chunks of the log on Kafka for the partitions that the group assigned."""

    RebalanceListener: ClassVar[type[Listener]] = Listener
    _intake: KafkaIntake
    _thread: Thread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        source, log = self._intake.source, self._intake.log
        assert source.hold is not None, "a Kafka source has a hold"
        self._hold: GroupHold = source.hold
        self._hold.ask = self._is_member
        self._poller = Poller(log.connection, source.topic)
        self._unwatch = log.watch(self._intake.topic, lambda _partition: self._intake.room.set())

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Have the worker's tasks claim what is new, under this generation, then go on as Faust does."""
        self._hold.generation = generation_id
        await self._intake.assigned({tp.partition for tp in assigned})
        await super().on_partitions_assigned(assigned, generation_id)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, Any]:
        intake = self._intake
        deadline = self.loop.time() + timeout
        active = {(tp.topic, tp.partition): tp for tp in active_partitions or ()}
        found: dict[TP, list[Chunk]] = {}
        while True:
            intake.room.clear()
            intake.alive()
            self._thread.stay()
            wanted = {place: at for place in active if (at := intake.wanted(place[1])) is not None}
            self._take(active, await self._at_once(wanted), found)
            left = deadline - self.loop.time()
            if found or left <= 0 or self.should_stop or not self.flow_active:
                return found
            if wanted:
                self._poller.begin(wanted, CHUNK_BYTES, IDLE if len(wanted) == len(active) else BUSY)
            self._take(active, await self._poller.wait(intake.room, left), found)

    async def _at_once(self, wanted: Mapping[Place, int]) -> dict[Place, tuple[int, Fetched | LogError]]:
        """Fetch what is known to be there, without waiting for news."""
        log = self._intake.log
        there = [p for p, at in wanted.items() if log.bounds(self._intake.topic, p[1])[1] > at]
        random.shuffle(there)  # an answer is bounded as a whole: who comes last may get nothing
        try:
            found = await log.fetch_many({place: wanted[place] for place in there}, CHUNK_BYTES)
        except LogAway:
            await asyncio.sleep(BUSY)
            return {}
        return {place: (wanted[place], one) for place, one in found.items()}

    def _take(
        self,
        active: Mapping[Place, TP],
        came: Mapping[Place, tuple[int, Fetched | LogError]],
        found: dict[TP, list[Chunk]],
    ) -> None:
        """Sort out what came: chunks that are still wanted, the end of a partition, what can't be read."""
        intake = self._intake
        for place, (offset, one) in came.items():
            partition = place[1]
            if isinstance(one, Fetched):
                intake.log.seen(intake.topic, partition, one.end)
            if place not in active or intake.wanted(partition) != offset or isinstance(one, LogAway):
                continue
            if isinstance(one, LogOutOfRange):
                intake.astray(partition, offset, str(one))
            elif isinstance(one, LogError):
                intake.broken(partition, str(one))
            elif one.messages:
                intake.fetched(partition, one.messages[-1].offset + 1)
                found[active[place]] = [Chunk(partition, one.messages)]

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        """Tell Kafka how far each partition is applied."""
        self._acked.clear()
        self._acked_index.clear()
        places = {tp: self._intake.applied(tp.partition) for tp in self.assignment()}
        told = await self._thread.tell({tp: at for tp, at in places.items() if at is not None}, COMMIT)
        return told is True

    async def _is_member(self, generation: int) -> bool | None:
        """Return whether Kafka itself takes this worker for a member at this generation; None: it is silent.

        Kafka checks the generation of a commit; the offset is the one there is anyway.
        """
        at = {tp: self._intake.applied(tp.partition) or 0 for tp in sorted(self.assignment())[:1]}
        if self._thread.generation() != generation:
            return False
        told = await self._thread.tell(at, self._hold.session)
        return told if self._thread.generation() == generation else False

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust looks for fetches of aiokafka's, and there are none."""

    async def on_stop(self) -> None:
        """Stop being woken, then stop as Faust does."""
        self._unwatch()
        await self._poller.close()
        with suppress(KafkaError):
            await super().on_stop()


class Transport(driver.Transport):
    """The transport behind `kafka-sluice://`."""

    Consumer: ClassVar[type[FaustConsumer]] = Consumer
    Producer: ClassVar[type[FaustProducer]] = NoProducer
    driver_version = f"{SCHEME} on {driver.Transport.driver_version}"
