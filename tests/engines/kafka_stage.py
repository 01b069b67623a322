"""Parts that the Kafka tests share: a plan with a prefix of its own, and a way to open a log."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from streams.kafka.connection import Connection, servers_of
from streams.kafka.log import KafkaLog, KafkaPlan
from streams.kafka.provision import TopicPlan
from streams.kafka.sender import Manner
from streams.topics import EVENTS, WRITES

TOPICS = (TopicPlan(WRITES), TopicPlan(EVENTS))


def a_plan(url: str, partitions: int = 4, **more: Any) -> KafkaPlan:
    """Return the plan of a log that nobody has made yet."""
    prefix = f"test-{secrets.token_hex(4)}"
    plan = KafkaPlan(Connection(servers_of(url)), prefix, TOPICS, partitions, manner=Manner(patience=5.0))
    return replace(plan, **more)


@asynccontextmanager
async def opened(plan: KafkaPlan) -> AsyncIterator[KafkaLog]:
    """Open a log, and close it after."""
    log = await KafkaLog.open(plan)
    try:
        yield log
    finally:
        await log.close()
