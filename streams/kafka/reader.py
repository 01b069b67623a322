"""Asking Kafka for messages and offsets: one request, one answer, nothing fetched that nobody wants.

aiokafka's own consumer fetches ahead, a megabyte a partition, whoever has room; what Sluice holds is bounded
by its tasks. So requests are made here, and parsed with aiokafka's record reader.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, NotLeaderForPartitionError, OffsetOutOfRangeError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from streams.kafka.connection import Connection
from streams.kafka.sizes import DescribeLogDirsRequest, sizes
from streams.log import LogAway, LogDamaged, LogError, LogOutOfRange, Message

END: Final = -1
START: Final = -2
"""Asked for in place of a stamp: the offset after the last message, the offset of the first one kept."""

TOGETHER: Final = 16 * 1024 * 1024
"""Bytes of one answer, over all partitions asked for."""

SECONDS: Final = 10.0
"""Longest that one request may take."""

Place = tuple[str, int]
"""A topic by its name in Kafka, and a partition of it."""


class Fetched(NamedTuple):
    """What a fetch found in a partition: messages in order, and the end of the partition then."""

    messages: list[Message]
    end: int


class Reader:
    """Reads at given offsets over connections of its own. A long poll holds up what is asked behind it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._client: AIOKafkaClient | None = None
        self._opening = asyncio.Lock()

    async def open(self, topics: Iterable[str]) -> None:
        """Connect, and know where the partitions of these topics are.

        Raises: LogAway.
        """
        async with self._opening:
            if self._client is not None:
                return
            client = AIOKafkaClient(**self._connection.options(SECONDS))
            try:
                async with asyncio.timeout(SECONDS):
                    await client.bootstrap()
                    await client.set_topics(list(topics))
            except (KafkaError, TimeoutError, OSError) as error:
                await client.close()
                raise away(self._connection, error) from error
            self._client = client

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def leader(self, place: Place) -> int:
        """Return the broker that leads a partition. Raises: LogAway where nobody is known to."""
        client = self._open()
        leader: int | None = client.cluster.leader_for_partition(TopicPartition(*place))
        if leader is None or leader == -1:
            client.force_metadata_update()
            raise LogAway(f"Kafka names no leader of {place[0]}/{place[1]} now.")
        return leader

    async def offsets(self, wanted: Mapping[Place, int]) -> dict[Place, int]:
        """Return an offset for each partition: `END`, `START`, or the first stamped at or after that time.

        -1 where no message is as young as that. Raises: LogAway.
        """
        found: dict[Place, int] = {}
        for node, places in self._by_leader(wanted).items():
            by_topic: dict[str, list[tuple[int, int]]] = defaultdict(list)
            for topic, partition in places:
                by_topic[topic].append((partition, wanted[topic, partition]))
            answer = await self._ask(node, OffsetRequest(-1, 0, list(by_topic.items())))
            for topic, partitions in answer.topics:
                for partition, code, _, offset, *_ in partitions:
                    self._check(code, (topic, partition))
                    found[topic, partition] = offset
        return found

    async def fetch(
        self, node: int, wanted: Mapping[Place, int], most: int, wait: float = 0.0
    ) -> dict[Place, Fetched | LogError]:
        """Ask one broker for messages from these offsets on: `most` bytes a partition, or one larger message.

        Where there are none it waits up to `wait` seconds for the first. Raises: LogAway.
        """
        by_topic: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for (topic, partition), offset in wanted.items():
            by_topic[topic].append((partition, offset, most))
        request = FetchRequest(int(wait * 1000), 1, max(most, TOGETHER), 0, list(by_topic.items()))
        answer = await self._ask(node, request)
        found: dict[Place, Fetched | LogError] = {}
        for topic, partitions in answer.topics:
            for partition, code, end, *rest in partitions:
                place = (topic, partition)
                try:
                    self._check(code, place, wanted[place])
                    found[place] = Fetched(_messages(rest[-1], wanted[place], place, most), end)
                except LogError as error:
                    found[place] = error
        return found

    async def fetch_one(self, place: Place, offset: int, most: int) -> Fetched:
        """Return what there is in one partition from an offset on.

        Raises: LogOutOfRange, LogDamaged, LogAway.
        """
        found = (await self.fetch(self.leader(place), {place: offset}, most)).get(place)
        if isinstance(found, LogError):
            raise found
        return found or Fetched([], offset)

    async def sizes(self, places: Iterable[Place]) -> dict[str, int]:
        """Return the bytes that topics take on the disks of all brokers, copies included. Raises: LogAway."""
        wanted: dict[str, list[int]] = defaultdict(list)
        for topic, partition in places:
            wanted[topic].append(partition)
        found = dict.fromkeys(wanted, 0)
        for broker in self._open().cluster.brokers():
            answer = await self._ask(broker.nodeId, DescribeLogDirsRequest(list(wanted.items())))
            for topic, size in sizes(answer).items():
                found[topic] += size
        return found

    def _by_leader(self, places: Iterable[Place]) -> dict[int, list[Place]]:
        grouped: dict[int, list[Place]] = defaultdict(list)
        for place in places:
            grouped[self.leader(place)].append(place)
        return grouped

    async def _ask(self, node: int, request: Any) -> Any:
        client = self._open()
        try:
            return await client.send(node, request)
        except (KafkaError, OSError) as error:
            client.force_metadata_update()
            raise away(self._connection, error) from error

    def _check(self, code: int, place: Place, offset: int = 0) -> None:
        error = for_code(code)
        if code == 0:
            return
        if error is OffsetOutOfRangeError:
            raise LogOutOfRange(
                f"Offset {offset} is not in {place[0]}/{place[1]}: trimmed, or not there yet."
            )
        if getattr(error, "invalid_metadata", False) or error is NotLeaderForPartitionError:
            self._open().force_metadata_update()
        raise LogAway(f"Kafka can't read {place[0]}/{place[1]} now: {error.__name__}.")

    def _open(self) -> AIOKafkaClient:
        if self._client is None:
            raise LogAway("The connection to Kafka is closed.")
        return self._client


def away(connection: Connection, error: BaseException) -> LogAway:
    """Return what to say of a request that came to nothing."""
    what = str(error) or type(error).__name__
    return LogAway(f"Kafka at {connection} does not answer: {what}. Look whether the brokers run.")


def _messages(buffer: bytes, first: int, place: Place, most: int) -> list[Message]:
    """Parse a fetch's bytes; Kafka answers from the beginning of a batch, which may be before `first`.

    A batch holds more bytes than were asked for where it is compressed or begins earlier: they are cut.
    """
    found: list[Message] = []
    size = 0
    records = MemoryRecords(buffer)
    while records.has_next():
        batch = records.next_batch()
        if batch is None:
            break
        if not batch.validate_crc():
            raise LogDamaged(f"A batch of {place[0]}/{place[1]} near offset {first} has a wrong checksum.")
        for record in batch:
            if record.offset < first:
                continue
            payload = record.value or b""
            size += len(payload)
            if found and size > most:
                return found
            found.append(Message(record.offset, record.timestamp, payload))
    return found
