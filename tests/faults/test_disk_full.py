"""A disk that fills up: 503 before it is full, nothing acknowledged is lost, and with room it goes on."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.account import RULE, Account
from tests.faults.tools import calling, needed, needs_root, patient
from tests.stage.broker import Client
from tests.stage.lock import locked
from tests.stage.patience import eventually
from tests.stage.process import Broker

MB = 1024 * 1024
TEXT = "x" * 20_000


@contextmanager
def small_disk(directory: Path, size: int) -> Iterator[Path]:
    """Mount a file system of `size` bytes."""
    needs_root()
    directory.mkdir()
    where = str(directory)
    subprocess.run([needed("mount"), "-t", "tmpfs", "-o", f"size={size}", "tmpfs", where], check=True)
    try:
        yield directory
    finally:
        subprocess.run([needed("umount"), "-l", where], check=True)


@asynccontextmanager
async def small(directory: Path, size: int, free: str) -> AsyncIterator[tuple[Broker, Client, "Filling"]]:
    """Run a broker on a small disk that keeps `free` of it."""
    with small_disk(directory, size) as disk:
        broker = patient({"SLUICE_FREE_DISK": free})
        broker.data = disk / "data"
        with broker:
            async with calling(broker) as client:
                account = Account(broker.data)
                assert (await client.post("/v1/rules/acme", json=RULE)).status == 201
                assert await account.write(client, 1, wait=True) == 200
                filling = Filling(client, account)
                assert await filling.once() == 202
                yield broker, client, filling


class Filling:
    """Writes records of 20 KB, and puts down what was said."""

    def __init__(self, client: Client, account: Account) -> None:
        self._client = client
        self.account = account
        self.codes: set[str] = set()

    async def once(self, count: int = 5) -> int:
        """Send one write and return its status."""
        account = self.account
        numbers = range(len(account.sent), len(account.sent) + count)
        account.sent.update(numbers)
        body = [{"n": n, "text": TEXT} for n in numbers]
        answer = await self._client.post("/v1/record/acme/d", json=body)
        if answer.status == 202:
            account.told.update(dict.fromkeys(numbers, 0))
        else:
            assert answer.status == 503, answer.body
            assert int(answer.headers["Retry-After"]) >= 1
            self.codes.add(answer.json["code"])
        return answer.status

    async def until_refused(self) -> None:
        """Write until it is refused ten times."""
        refused = 0
        while refused < 10:
            refused += await self.once() == 503


def _fill(path: Path, leave: int) -> None:
    """Take all room of a disk but about `leave` bytes; the broker takes some of it meanwhile."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))
    os.truncate(path, max(0, path.stat().st_size - leave))


async def test_writes_are_refused_before_the_disk_is_full_and_what_waits_is_stored(
    tmp_path: Path,
) -> None:
    async with small(tmp_path / "disk", 128 * MB, "16MB") as (broker, _, filling):
        account = filling.account
        with locked(broker.data):
            await filling.until_refused()
        assert filling.codes == {"disk_low"}
        behind = len(account.told) * len(TEXT)
        assert behind > 10 * MB
        await eventually(account.right, 60, every=0.3)
        free = os.statvfs(broker.data)
        print(f"{behind / MB:.0f} MB waited; {free.f_bavail * free.f_frsize / MB:.0f} MB are free after")
        assert "No space" not in broker.logs and "full" not in broker.logs


async def test_a_disk_that_somebody_else_filled_is_503_and_it_goes_on_once_there_is_room(
    tmp_path: Path,
) -> None:
    async with small(tmp_path / "disk", 96 * MB, "0") as (broker, client, filling):
        account = filling.account
        ballast = broker.data.parent / "ballast"
        for leave in (3 * MB, 300_000, 40_000, 0):
            _fill(ballast, leave)
            await filling.until_refused()
            assert broker.pid
            ballast.unlink()

            async def taken() -> None:
                assert await filling.once() == 202

            await eventually(taken, 30)
            await eventually(account.right, 60, every=0.3)
        assert filling.codes <= {"log_unavailable", "store_unavailable", "disk_low"}
        assert (await client.get("/ready")).status == 200
        print(f"{len(account.told)} acknowledged, {len(account.sent) - len(account.told)} refused")


@pytest.mark.parametrize("leave", [0, 20_000, 200_000])
async def test_a_full_disk_under_keyed_and_awaited_writes_ends_nothing(tmp_path: Path, leave: int) -> None:
    async with small(tmp_path / "disk", 64 * MB, "0") as (broker, client, filling):
        account = filling.account
        ballast = broker.data.parent / "ballast"
        _fill(ballast, leave)
        statuses = set()
        for number in range(40):
            headers = {"Idempotency-Key": f"k{number}"} if number % 2 else {}
            body = [{"n": 0, "text": TEXT}]
            answer = await client.post(
                f"/v1/write/acme/k{number % 3}?timeout=0.3", json=body, headers=headers
            )
            statuses.add(answer.status)
        assert statuses <= {200, 503, 504}, statuses
        assert 503 in statuses
        for path in ("/health", "/v1/alerts/acme", "/v1/data/acme/d?last=1"):
            assert (await client.get(path)).status == 200, path
        ballast.unlink()

        async def stored() -> None:
            answer = await client.post("/v1/write/acme/k0?timeout=5", json=[{"n": 1, "text": "y"}])
            assert answer.status == 200

        await eventually(stored, 40)
        await eventually(account.right, 30)
        assert broker.stop() == 0


async def test_a_broker_killed_on_a_full_disk_has_everything_once_there_is_room(tmp_path: Path) -> None:
    async with small(tmp_path / "disk", 64 * MB, "0") as (broker, _, filling):
        account = filling.account
        ballast = broker.data.parent / "ballast"
        with locked(broker.data):
            for _ in range(20):
                assert await filling.once() == 202
        _fill(ballast, 0)
        await filling.until_refused()
        broker.kill()
        broker.start(wait=False)
        assert broker.wait() == 1, "there is no room to begin a run"
        assert "full" in broker.logs[-500:]
        assert "Traceback" not in broker.logs
        ballast.unlink()
        broker.start()
        await eventually(account.right, 30)
