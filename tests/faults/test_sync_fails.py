"""An I/O error from a sync ends the process with status 1; the next start has all that was acknowledged."""

import asyncio
from pathlib import Path

import pytest

from infra.database import DATABASE
from tests.faults.account import RULE, Account
from tests.faults.tools import calling, patient
from tests.faults.tracing import failing
from tests.stage.broker import Client
from tests.stage.patience import eventually

SYNCS = "fsync,fdatasync"


async def prepared(client: Client, account: Account) -> None:
    assert (await client.post("/v1/rules/acme", json=RULE)).status == 201
    for _ in range(3):
        assert await account.write(client, 2, wait=True) == 200


def first_segment(data: Path, topic: str) -> Path:
    return data / "log" / topic / f"{1:016d}.seg"


@pytest.mark.parametrize("what", ["writes", "events", "database"])
async def test_a_sync_that_fails_ends_the_process_and_loses_nothing(what: str) -> None:
    with patient() as broker:
        async with calling(broker) as client:
            account = Account(broker.data)
            await prepared(client, account)
            path = broker.data / f"{DATABASE}-wal" if what == "database" else first_segment(broker.data, what)
            assert path.exists()
            ended = asyncio.ensure_future(asyncio.to_thread(broker.wait, 60))
            with failing(broker.pid, path, f"{SYNCS}:error=EIO:when=5+"):
                statuses = await _answered_until_gone(client, account)
                assert await ended == 1
            assert statuses <= {200, 202, 503, 504}, statuses
            assert "The broker can't go on" in broker.logs
            before = len(account.told)
            assert before > 6
            broker.start()
        async with calling(broker) as client:
            assert await account.write(client, 1, wait=True) == 200
            await eventually(account.right, 30)
            print(f"{what}: {before} acknowledged before, all there")


async def _answered_until_gone(client: Client, account: Account) -> set[int]:
    statuses: set[int] = set()

    async def one() -> None:
        while status := await account.write(client, 1, wait=len(account.sent) % 3 == 0):
            statuses.add(status)
            if status >= 500:
                await asyncio.sleep(0.05)

    async with asyncio.timeout(60):
        await asyncio.gather(*(one() for _ in range(6)))
    return statuses


async def test_a_checkpoint_whose_sync_fails_loses_nothing_for_the_wal_keeps_it() -> None:
    with patient() as broker:
        async with calling(broker) as client:
            account = Account(broker.data)
            await prepared(client, account)
            text = "x" * 10_000
            with failing(broker.pid, broker.data / DATABASE, f"{SYNCS}:error=EIO:when=1..3"):
                for _ in range(60):
                    numbers = range(len(account.sent), len(account.sent) + 50)
                    account.sent.update(numbers)
                    body = [{"n": n, "text": text} for n in numbers]
                    answer = await client.post("/v1/write/acme/d?timeout=60", json=body)
                    assert answer.status == 200
                    account.told.update(dict.fromkeys(numbers, 0))
            size = (broker.data / DATABASE).stat().st_size
            assert size > 10_000_000, "nothing was moved from the WAL"
            broker.kill()
            broker.start()
            await eventually(account.right, 30)
