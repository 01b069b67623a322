"""The topics of a log in Kafka: made once, with what durability needs, and named for the log's identity.

Kafka gives a cluster no name that a database could hold on to. So the first process to open a log under a
prefix writes one as the first message of `{prefix}.identity`, and whoever came second reads that one: the
message at offset 0 decides. The topics are `{prefix}.{identity}.writes` and so on; the number of partitions
stands beside the identity and is fixed with it.
"""

import asyncio
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streams.kafka.connection import Connection
from streams.kafka.reader import SECONDS, Reader, away
from streams.kafka.sender import end
from streams.log import LogAway, LogDamaged, LogRefused

REPLICAS: Final = 3
MESSAGE_BYTES: Final = 2 * 1024 * 1024 + 64 * 1024
"""The largest batch: one message of 2 MB, with room for Kafka's own words around it."""

MADE_WITHIN: Final = 30.0
_FORMAT: Final = 1
_FOREVER: Final = "-1"


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic's name, and how long Kafka keeps a message of it: milliseconds, None for ever."""

    name: str
    keep: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What a log is called and how many partitions each of its topics has."""

    name: str
    partitions: int

    def topic(self, prefix: str, topic: str) -> str:
        """Return the name that a topic of this log has in Kafka."""
        return f"{prefix}.{self.name}.{topic}"


def identity_topic(prefix: str) -> str:
    """Return the name of the topic whose first message names the log."""
    return f"{prefix}.identity"


async def provide(
    connection: Connection, prefix: str, plans: Sequence[TopicPlan], partitions: int, replication: int | None
) -> Identity:
    """Return the log under a prefix, made where it is not there yet, with all of its topics.

    `replication` None takes as many copies as there are brokers, three at most.

    Raises: LogRefused (another number of partitions, Kafka refuses a topic), LogAway, LogDamaged.
    """
    admin = AIOKafkaAdminClient(**connection.options(SECONDS))
    try:
        await admin.start()
        brokers = len((await admin.describe_cluster())["brokers"])
        copies = min(REPLICAS, brokers) if replication is None else replication
        await _make(admin, [_new(identity_topic(prefix), 1, copies, None)])
        found = await _identity(connection, prefix, partitions)
        if found.partitions != partitions:
            raise LogRefused(
                f"The log under the prefix {prefix!r} has {found.partitions} partitions, and {partitions} "
                f"were asked for. The number is fixed once made: set SLUICE_PARTITIONS to {found.partitions} "
                f"or SLUICE_KAFKA_PREFIX to another prefix."
            )
        names = {found.topic(prefix, plan.name): plan for plan in plans}
        there = set(await admin.list_topics())
        new = [_new(name, partitions, copies, plan.keep) for name, plan in names.items() if name not in there]
        await _make(admin, new)
        await _led(admin, names, partitions)
    except (KafkaError, TimeoutError, OSError) as error:
        raise away(connection, error) from error
    finally:
        await admin.close()
    return found


def _new(name: str, partitions: int, copies: int, keep: int | None) -> NewTopic:
    configs = {
        "cleanup.policy": "delete",
        "retention.ms": _FOREVER if keep is None else str(keep),
        "retention.bytes": _FOREVER,
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MESSAGE_BYTES),
        "min.insync.replicas": str(min(2, copies)),
        "unclean.leader.election.enable": "false",
    }
    return NewTopic(name, partitions, copies, topic_configs=configs)


async def _make(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    if not topics:
        return
    answer = await admin.create_topics(topics)
    for name, code, *why in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            reason = why[0] if why and why[0] else error.__name__
            raise LogRefused(f"Kafka does not make the topic {name}: {reason}")


async def _led(admin: AIOKafkaAdminClient, names: Iterable[str], partitions: int) -> None:
    """Wait until every partition has a leader. Raises: LogRefused (another number of them), LogAway."""
    deadline = asyncio.get_running_loop().time() + MADE_WITHIN
    while True:
        waiting = []
        for topic in await admin.describe_topics(list(names)):
            led = [p for p in topic["partitions"] if p["leader"] >= 0]
            if topic["partitions"] and len(topic["partitions"]) != partitions:
                raise LogRefused(
                    f"The topic {topic['topic']} has {len(topic['partitions'])} partitions and must have "
                    f"{partitions}: somebody changed it. Records are placed by that number."
                )
            if len(led) < partitions:
                waiting.append(topic["topic"])
        if not waiting:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise LogAway(f"Kafka has named no leader of {', '.join(waiting)} in {MADE_WITHIN:g} s.")
        await asyncio.sleep(0.1)


async def _identity(connection: Connection, prefix: str, partitions: int) -> Identity:
    topic = identity_topic(prefix)
    reader = Reader(connection)
    await reader.open([topic])
    try:
        said = await _said(reader, topic)
        if said is None:
            await _propose(connection, topic, partitions)
            said = await _said(reader, topic)
    finally:
        await reader.close()
    try:
        kept: dict[str, Any] = json.loads(said or b"")
        name, version, count = str(kept["identity"]), int(kept["format"]), int(kept["partitions"])
    except (ValueError, KeyError, TypeError) as error:
        raise LogDamaged(f"The first message of {topic} does not name a log: {error}.") from error
    if version != _FORMAT:
        raise LogRefused(f"{topic} says the log has format {version}; this version reads format {_FORMAT}.")
    return Identity(name, count)


async def _said(reader: Reader, topic: str) -> bytes | None:
    deadline = asyncio.get_running_loop().time() + MADE_WITHIN
    while True:
        try:
            found = await reader.fetch_one((topic, 0), 0, 1)
        except LogAway:
            # a topic just made is led by nobody for a moment
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return found.messages[0].payload if found.messages else None


async def _propose(connection: Connection, topic: str, partitions: int) -> None:
    """Append a name. Where two processes do at once, the first one in the topic is the log's."""
    mine = {"format": _FORMAT, "identity": secrets.token_hex(6), "partitions": partitions}
    producer = AIOKafkaProducer(**connection.options(SECONDS), acks="all", enable_idempotence=True)
    try:
        async with asyncio.timeout(SECONDS):
            await producer.start()
            await producer.send_and_wait(topic, json.dumps(mine).encode(), partition=0)
    finally:
        await end(producer)
