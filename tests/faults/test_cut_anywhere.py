"""The files as a power loss leaves them: cut, zeroed or turned at every byte of their last write.

What was durable before the last write is there, the rest is cut, and a broker that starts on it has all that
was acknowledged.
"""

import asyncio
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from infra.database import DATABASE
from streams.embedded.chain import open_chain
from streams.embedded.disk import SystemDisk
from streams.embedded.scan import blocks, read_head
from streams.wire import read_envelope
from tests.faults.account import RULE, Account
from tests.faults.tools import calling, patient
from tests.stage.lock import locked
from tests.stage.patience import eventually
from tests.stage.process import Broker

PARTITIONS = 8
FRAME, PAGE, HEAD = 24, 4096, 32


@dataclass(frozen=True)
class Killed:
    """The data of a broker that was killed under load, with more in its log than in its database."""

    data: Path
    account: Account

    def copy(self, to: Path) -> Path:
        shutil.copytree(self.data, to, dirs_exist_ok=True)
        return to


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    kept = tmp_path_factory.mktemp("killed") / "data"
    with patient() as broker:
        account = asyncio.run(_loaded(broker, kept))
    account.data = kept
    yield Killed(kept, account)


async def _loaded(broker: Broker, kept: Path) -> Account:
    account = Account(broker.data)
    async with calling(broker) as client:
        assert (await client.post("/v1/rules/acme", json=RULE)).status == 201
        for _ in range(3):
            assert await account.write(client, 1, wait=True) == 200
        load = asyncio.ensure_future(account.load(client, 6))

        def enough() -> None:
            assert len(account.told) > 300

        await eventually(enough, 60)
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        assert await account.write(client, 3, wait=True) == 200
        with locked(broker.data):
            for _ in range(6):
                assert await account.write(client, 3, wait=False) == 202
            await asyncio.to_thread(broker.kill)
            # before the lock goes: who closes a database last moves its WAL into it
            shutil.copytree(broker.data, kept)
    return account


def cut(data: bytes, at: int) -> bytes:
    return data[:at]


def zero(data: bytes, at: int) -> bytes:
    return data[:at] + bytes(len(data) - at)


def turn(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]


def last_block(path: Path) -> int:
    """Return where the last block of a segment begins."""
    with path.open("rb") as file:
        head = read_head(file.fileno(), path, PARTITIONS)
        found = blocks(file.fileno(), head.salt, head.size, path.stat().st_size)
        return [block.head.position for block in found][-1]


def numbers(path: Path, end: int) -> set[int]:
    """Return the numbers of the records in a segment of `writes` up to a byte."""
    with path.open("rb") as file:
        head = read_head(file.fileno(), path, PARTITIONS)
        return {
            record["n"]
            for block in blocks(file.fileno(), head.salt, head.size, end)
            for partition in range(PARTITIONS)
            for message in block.messages(partition, 0, 2**62)
            for entry in read_envelope(message.payload).entries
            for record in entry.records  # type: ignore[union-attr]
        }


@pytest.mark.parametrize("topic", ["writes", "events"])
@pytest.mark.parametrize("lose", [cut, zero, turn])
def test_the_log_lost_at_any_byte_of_its_last_write_keeps_all_before(
    killed: Killed, tmp_path: Path, topic: str, lose: Callable[[bytes, int], bytes]
) -> None:
    directory = tmp_path / topic
    shutil.copytree(killed.data / "log" / topic, directory)
    (path,) = directory.glob("*.seg")
    whole, begin = path.read_bytes(), last_block(path)
    if topic == "writes":
        durable = {n for n, size in killed.account.told.items() if size <= begin}
        assert len(durable) > 300
        assert durable <= numbers(path, begin)
    tried = 0
    for at in range(begin, len(whole)):
        torn = lose(whole, at)
        if torn == whole:
            continue
        path.write_bytes(torn)
        chain = open_chain(directory, PARTITIONS, 1 << 26, SystemDisk())
        chain.close()
        assert chain.cut_bytes == len(torn) - begin
        assert path.read_bytes() == whole[:begin]
        tried += 1
    print(f"{topic} {lose.__name__}: {tried} places of the last {len(whole) - begin} bytes")
    assert tried >= len(whole) - begin - 8


def commits(wal: Path) -> list[int]:
    """Return where each commit of a WAL ends (SQLite's file format, section 4.1)."""
    raw = wal.read_bytes()
    salts, ends = raw[16:24], []
    for at in range(HEAD, len(raw) - FRAME - PAGE + 1, FRAME + PAGE):
        if raw[at + 8 : at + 16] != salts:
            break
        if struct.unpack_from(">I", raw, at + 4)[0]:
            ends.append(at + FRAME + PAGE)
    return ends


class Database:
    """A copy of the killed broker's database; each look at it is one after a restart."""

    def __init__(self, killed: Killed, directory: Path) -> None:
        self.path = directory / DATABASE
        self.wal = self.path.with_name(DATABASE + "-wal")
        shutil.copy(killed.data / DATABASE, self.path)
        shutil.copy(killed.data / self.wal.name, self.wal)
        # each was the last one once; a small one of several pages, for every byte of it is tried
        few = [pair for pair in pairwise(commits(self.wal)) if pair[1] - pair[0] >= 3 * (FRAME + PAGE)]
        self.before, self.end = min(reversed(few), key=lambda pair: pair[1] - pair[0])

    def look(self, query: str = "SELECT role, partition, next FROM offsets ORDER BY 1, 2") -> list[object]:
        self.path.with_name(DATABASE + "-shm").unlink(missing_ok=True)
        # read only, so that nothing is moved from the WAL
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


@pytest.mark.parametrize("way", ["cut", "zeroed"])
def test_the_database_lost_at_any_byte_of_its_last_commit_is_as_it_was_before_it(
    killed: Killed, tmp_path: Path, way: str
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        database = Database(killed, Path(directory))
        with database.wal.open("r+b", buffering=0) as file:
            file.truncate(database.end)
            whole, after = file.read(), database.look()
            file.truncate(database.before)
            before = database.look()
            assert before != after
            file.seek(0)
            file.write(whole)
            assert database.look() == after
            changed = False
            for at in range(database.end - 1, database.before - 1, -1):
                if way == "cut":
                    file.truncate(at)
                else:
                    file.seek(at)
                    file.write(b"\0")
                changed = changed or way == "cut" or whole[at] != 0
                assert database.look() == (before if changed else after), at
        assert database.look("PRAGMA integrity_check") == [("ok",)]
        print(f"{way}: {database.end - database.before} places of a commit")


def _commit_lost(data: Path, share: float, lose: Callable[[bytes, int], bytes]) -> None:
    wal = data / f"{DATABASE}-wal"
    before, end = commits(wal)[-2:]
    wal.write_bytes(lose(wal.read_bytes()[:end], before + int((end - before) * share)))
    (data / f"{DATABASE}-shm").unlink(missing_ok=True)


def _rubbish(path: Path) -> None:
    path.write_bytes(b"\x5a" * path.stat().st_size)


SAMPLES: dict[str, Callable[[Path], None]] = {
    "nothing lost": lambda data: None,
    "the last commit cut": lambda data: _commit_lost(data, 0.5, cut),
    "the last commit cut at its beginning": lambda data: _commit_lost(data, 0.0, cut),
    "the last commit zeroed": lambda data: _commit_lost(data, 0.3, zero),
    "the shared index of the WAL is rubbish": lambda data: _rubbish(data / f"{DATABASE}-shm"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_broker_started_on_what_is_left_has_all_that_was_acknowledged(killed: Killed, name: str) -> None:
    broker = patient()
    killed.copy(broker.data)
    SAMPLES[name](broker.data)
    account = Account(broker.data, set(killed.account.sent), dict(killed.account.told))
    with broker:
        asyncio.run(_settled(broker, account))


async def _settled(broker: Broker, account: Account) -> None:
    async with calling(broker) as client:
        assert await account.write(client, 1, wait=True) == 200
        await eventually(account.right, 30, every=0.2)


def test_a_log_whose_last_unacknowledged_write_is_torn_starts_and_says_what_it_cut(killed: Killed) -> None:
    broker = patient()
    killed.copy(broker.data)
    (path,) = (broker.data / "log" / "writes").glob("*.seg")
    begin = last_block(path)
    path.write_bytes(zero(path.read_bytes(), begin + 100))
    told = {n: size for n, size in killed.account.told.items() if size <= begin}
    assert len(told) < len(killed.account.told)
    account = Account(broker.data, set(killed.account.sent), told)
    with broker:
        asyncio.run(_settled(broker, account))
        broker.says("bytes that were never acknowledged; they are cut")
