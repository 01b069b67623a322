"""The log on Kafka keeps what every log promises, and what only it has: names, identity, partitions."""

from collections.abc import AsyncIterator

import pytest

from streams.kafka.log import KafkaLog
from streams.log import Log
from tests.conformance.log import PARTITIONS, LogSuite, OpenLog
from tests.engines.kafka_stage import a_plan


@pytest.fixture
async def open_log(servers: str) -> AsyncIterator[OpenLog]:
    opened: list[Log] = []
    plan = a_plan(servers, PARTITIONS)

    async def open_it() -> Log:
        opened.append(await KafkaLog.open(plan))
        return opened[-1]

    yield open_it
    for log in opened:
        await log.close()


class TestKafkaLog(LogSuite):
    """As it is used."""
