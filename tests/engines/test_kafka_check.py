"""`sluice check` names what of a log in Kafka is less than durable, and what does not fit the database."""

from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infra.checks import problems_with
from infra.settings import Settings, load
from streams.topics import WRITES
from tests.engines.kafka_broker import kafka_broker
from tests.engines.kafka_stage import a_plan, opened

PREFIX = "checked"


def settings_of(data: Path, url: str, **flags: Any) -> Settings:
    given = {"data": data, "kafka_prefix": PREFIX, "partitions": 4, "free_disk": "1MB", **flags}
    return load(given).model_copy(update={"log": url})


async def test_a_log_that_is_not_there_yet_is_nothing_wrong_and_is_not_made(data: Path, servers: str) -> None:
    settings = settings_of(data, servers, kafka_prefix="never-made")
    assert await problems_with(settings) == []
    async with opened(a_plan(servers, prefix="never-made", partitions=2)) as log:
        assert log.partitions == 2, "the check made it with another number"


async def test_one_copy_and_too_few_in_sync_are_named(data: Path, servers: str) -> None:
    async with kafka_broker(data, servers, kafka_prefix=PREFIX):
        found = await problems_with(settings_of(data, servers))
    assert [line for line in found if "have one copy" in line and ".writes" in line and ".events" in line]
    assert [line for line in found if "min.insync.replicas below 2" in line]
    assert not [line for line in found if "unclean" in line or "receipts" in line or "LogAppendTime" in line]


async def test_what_somebody_changed_for_the_worse_is_named(data: Path, servers: str) -> None:
    plan = a_plan(servers)
    async with opened(plan) as log:
        admin = AIOKafkaAdminClient(bootstrap_servers=list(plan.connection.servers))
        await admin.start()
        worse = {"unclean.leader.election.enable": "true", "retention.ms": "1000"}
        name = log.name_of(WRITES)
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=worse)])
        await admin.close()
        found = await problems_with(settings_of(data, servers, kafka_prefix=plan.prefix))
    for what in ("unclean.leader.election.enable on", "have retention.ms", "LogAppendTime"):
        assert [line for line in found if what in line and name in line and ".events" not in line], what


async def test_another_number_of_partitions_is_named_with_what_to_set(data: Path, servers: str) -> None:
    plan = a_plan(servers)
    async with opened(plan):
        pass
    settings = settings_of(data, servers, kafka_prefix=plan.prefix, partitions=8)
    assert [line for line in await problems_with(settings) if "set SLUICE_PARTITIONS to 4" in line]


async def test_a_kafka_that_does_not_answer_is_named_with_its_address(data: Path) -> None:
    [line] = await problems_with(settings_of(data, "kafka://127.0.0.1:1"))
    assert "127.0.0.1:1 does not answer" in line
