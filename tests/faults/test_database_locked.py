"""Another process holds the database for longer than SQLite waits: writes go on, and all is stored after."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.database import DATABASE
from tests.faults.account import RULE, Account
from tests.faults.tools import calling, patient
from tests.stage.patience import eventually

HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold the database from another process."""
    command = [sys.executable, "-c", HOLDER, str(data / DATABASE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(10)


async def test_a_lock_longer_than_sqlite_waits_delays_what_is_stored_and_nothing_else() -> None:
    with patient() as broker:
        async with calling(broker) as client:
            account = Account(broker.data)
            assert (await client.post("/v1/rules/acme", json=RULE)).status == 201
            assert await account.write(client, 1, wait=True) == 200
            with held(broker.data):
                for _ in range(20):
                    assert await account.write(client, 3, wait=False) == 202
                late = await client.post("/v1/write/acme/d?timeout=0.5", json=[{"n": 1_000_000}])
                assert (late.status, late.json["code"]) == (504, "too_slow")
                account.sent.add(1_000_000)
                account.told[1_000_000] = 0
                known = f"/v1/writes/{late.json['writeId']}"
                for path in ("/v1/data/acme/d?last=1", "/v1/alerts/acme", known):
                    assert (await client.get(path)).status == 200

                async def tried_again() -> None:
                    metrics = (await client.get("/metrics")).body.decode()
                    assert 'sluice_retries_total{role="persist"}' in metrics

                await eventually(tried_again, 30)
                for _ in range(20):
                    assert await account.write(client, 3, wait=False) == 202
                assert account.stored() == [0]
            await eventually(account.right, 30)
            assert (await client.get("/ready")).status == 200


def test_a_start_on_a_database_that_is_held_ends_with_a_sentence_and_loses_nothing() -> None:
    with patient() as broker:
        broker.stop()
        with held(broker.data):
            broker.start(wait=False)
            assert broker.wait(60) == 1
            assert "sluice: database is locked" in broker.logs
            assert "Traceback" not in broker.logs
        broker.start()


def test_a_start_on_a_file_that_is_no_database_ends_with_a_sentence() -> None:
    with patient() as broker:
        broker.stop()
        (broker.data / DATABASE).write_bytes(b"no database " * 1_000)
        broker.start(wait=False)
        assert broker.wait(60) == 1
        assert "not a database" in broker.logs
        assert "Traceback" not in broker.logs
