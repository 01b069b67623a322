"""What of a log in Kafka is less than durable: said by `sluice check`, in sentences."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from streams.kafka.log import KafkaPlan
from streams.kafka.provision import identity_topic
from streams.kafka.reader import SECONDS, away
from streams.topics import EVENTS, RECEIPTS, WRITES

WANTED: Final = 2
"""Copies that must have a write before it is acknowledged."""

ONE_COPY: Final = (
    "have one copy: a broker's disk that is lost takes acknowledged writes with it. Give the cluster three "
    "brokers and the topics three copies (kafka-reassign-partitions)"
)
ONE_IN_SYNC: Final = (
    "have min.insync.replicas below 2, so a write is acknowledged with one copy of it. Set it to 2 "
    "(kafka-configs)"
)
OUT_OF_SYNC: Final = "have fewer copies in sync than min.insync.replicas: appends wait. Look at the brokers"
UNCLEAN: Final = (
    "have unclean.leader.election.enable on: a copy that lacks acknowledged writes may lead. Set it to false "
    "(kafka-configs)"
)
RETENTION: Final = (
    "have retention.ms: Kafka would delete what is not applied yet. Set it to -1, Sluice trims them itself"
)
STAMPS: Final = (
    "have message.timestamp.type other than LogAppendTime: rules would run on clients' clocks. Set it "
    "(kafka-configs)"
)


async def shortcomings(plan: KafkaPlan) -> tuple[bool, list[str]]:
    """Return whether there is a log under the plan's prefix, and what is less than durable about it.

    Raises: LogAway.
    """
    admin = AIOKafkaAdminClient(**plan.connection.options(SECONDS))
    try:
        await admin.start()
        there = await admin.list_topics()
        if identity_topic(plan.prefix) not in there:
            return False, []
        ours = {topic.name for topic in plan.topics} - plan.quick - {RECEIPTS}
        names = [name for name in there if _is_ours(name, plan.prefix, ours)]
        names.append(identity_topic(plan.prefix))
        topics = await admin.describe_topics(names)
        configs = await _configs(admin, names)
    except (KafkaError, TimeoutError, OSError) as error:
        raise away(plan.connection, error) from error
    finally:
        await admin.close()
    return True, _sentences(topics, configs)


def _is_ours(name: str, prefix: str, topics: Iterable[str]) -> bool:
    parts = name.removeprefix(f"{prefix}.").split(".")
    return name.startswith(f"{prefix}.") and len(parts) == 2 and parts[1] in topics


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> Mapping[str, Mapping[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for _, _, _, name, entries in answer.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _sentences(topics: Iterable[Mapping[str, Any]], configs: Mapping[str, Mapping[str, str]]) -> list[str]:
    wrong: dict[str, list[str]] = defaultdict(list)
    for topic in topics:
        for what in _wrong_with(topic, configs.get(topic["topic"], {})):
            wrong[what].append(topic["topic"])
    return [f"log: {', '.join(sorted(names))} {what}." for what, names in wrong.items()]


def _wrong_with(topic: Mapping[str, Any], config: Mapping[str, str]) -> Iterator[str]:
    copies = min((len(p["replicas"]) for p in topic["partitions"]), default=0)
    in_sync = min((len(p["isr"]) for p in topic["partitions"]), default=0)
    least = int(config.get("min.insync.replicas", "1"))
    if copies < WANTED:
        yield ONE_COPY
    if least < WANTED:
        yield ONE_IN_SYNC
    elif in_sync < least:
        yield OUT_OF_SYNC
    if config.get("unclean.leader.election.enable") == "true":
        yield UNCLEAN
    if topic["topic"].rpartition(".")[2] in (WRITES, EVENTS) and config.get("retention.ms") != "-1":
        yield RETENTION
    if config.get("message.timestamp.type") != "LogAppendTime":
        yield STAMPS
