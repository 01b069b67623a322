"""Nights: all workers gone, and with them all that Kafka knew of their groups, while writes go on."""

import asyncio
from signal import SIGKILL
from time import perf_counter

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import DeleteGroupsRequest

from storage.offsets import OFFSETS, Token
from tests.crash.report import said
from tests.crash.seed import SEED
from tests.crash_engines.field import KAFKA, Engines
from tests.crash_engines.rig import FieldRig, rigged
from tests.stage.patience import eventually
from tests.stage.stored import read

NIGHTS = "a night without workers"
DEADLINE = 90.0
REBALANCES = 3
"""Before the night, so that the groups' generations are higher than those that two workers begin with."""


@pytest.mark.parametrize("restarted", [False, True], ids=["", "Kafka restarted"])
async def test_workers_go_on_from_the_database_after_a_night_without_any(
    engines: Engines, restarted: bool
) -> None:
    async with rigged(engines, f"{SEED}-night-{restarted}") as rig:
        field = rig.field
        rig.load.work(hurry=0.3)
        await rig.until_more(100)
        for number in range(REBALANCES):
            await asyncio.to_thread(field.workers[number % 2].restart)
        await rig.until_more(50)

        stopped, killed = field.workers
        assert await asyncio.to_thread(stopped.stop) == 0
        killed.kill()
        evening = tokens(rig)
        await forget(rig)
        await rig.until_more(200)
        if restarted:
            engines.send(KAFKA, SIGKILL)
            await asyncio.to_thread(engines.up)
            for api in field.apis:
                await asyncio.to_thread(api.until_ready)
            await rig.until_more(50)
        assert tokens(rig) == evening

        begin = perf_counter()
        for worker in field.workers:
            worker.start(wait=False)
        for worker in field.workers:
            await asyncio.to_thread(worker.until_ready)
        served = perf_counter() - begin
        await rig.until_more(50)
        found = await rig.audit()
        said(NIGHTS, "Kafka restarted" if restarted else "groups deleted", rig.load.account, found, served, 0)
        morning = tokens(rig)
        assert morning.keys() == evening.keys()
        assert all(morning[place] >= token for place, token in evening.items()), (evening, morning)
        # on a slow machine generations may catch up with some of before, hardly with all
        raised = [place for place in evening if morning[place].incarnation > evening[place].incarnation]
        assert raised, (evening, morning)


def tokens(rig: FieldRig) -> dict[tuple[str, int], Token]:
    """Return who holds each partition of each role, as the database has it."""
    columns = OFFSETS.c.role, OFFSETS.c.partition, OFFSETS.c.incarnation, OFFSETS.c.generation
    rows = read(rig.broker.data, lambda c: c.execute(OFFSETS.select().with_only_columns(*columns)).all())
    return {(role, partition): Token(*token) for role, partition, *token in rows}


async def forget(rig: FieldRig) -> None:
    """Have Kafka forget the workers' groups, with their offsets: it does so by itself only after long."""
    admin = AIOKafkaAdminClient(bootstrap_servers=rig.field.env["SLUICE_LOG"].removeprefix("kafka://"))
    await admin.start()
    try:
        prefix = rig.field.env["SLUICE_KAFKA_PREFIX"]

        async def ours() -> list[str]:
            return [name for name, _ in await admin.list_consumer_groups() if name.startswith(prefix)]

        async def forgotten() -> bool:
            # refused until the killed one's session is over
            await admin._send_request(DeleteGroupsRequest(await ours()))
            return await ours() == []

        assert len(await ours()) == 2, "one of persist, one of judge"
        await eventually(forgotten, DEADLINE, every=0.2)
    finally:
        await admin.close()
