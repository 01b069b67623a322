"""The clock set back an hour, or forward: `now` stands still, ids go on, and nothing is lost or put off."""

import sys
from collections.abc import Callable
from pathlib import Path

from rules.schema.moments import parse_time
from tests.faults.account import RULE, Account
from tests.faults.tools import calling, patient
from tests.stage.broker import Client
from tests.stage.collector import Collector
from tests.stage.patience import eventually
from tests.stage.process import Broker

ARMED = (sys.executable, "-m", "tests.faults.armed", "serve")
HOUR = 3600
COOL = {"id": "cool", "on": "d", "where": "n >= 0", "cooldown": "30m"}


def armed(clock: Path) -> Broker:
    """Return a broker whose clock is wrong by as many seconds as the file says."""
    clock.write_text("0")
    return patient({"FAULTS_CLOCK": str(clock), "SLUICE_ALLOW_PRIVATE_TARGETS": "true"}, ARMED)


async def alerts_of(client: Client, rule: str) -> list[int]:
    answer = await client.get(f"/v1/alerts/acme?rule={rule}&limit=1000")
    return sorted(alert["event"]["n"] for alert in answer.json["alerts"])


async def test_a_clock_set_back_an_hour_loses_nothing_and_puts_nothing_off(tmp_path: Path) -> None:
    with Collector() as receiver, armed(tmp_path / "clock") as broker:
        async with calling(broker) as client:
            account = Account(broker.data)
            hook = {"kind": "webhook", "url": receiver.url, "rules": ["even"]}
            assert (await client.post("/v1/subscriptions/acme", json=hook)).status == 201
            for rule in (RULE, COOL):
                assert (await client.post("/v1/rules/acme", json=rule)).status == 201
            ids = [await _written(client, account) for _ in range(4)]
            await eventually(lambda: len(receiver.received) == 2, 30)
            receiver.always(503)
            ids += [await _written(client, account) for _ in range(2)]
            await eventually(lambda: len(receiver.received) >= 3, 30)
            (tmp_path / "clock").write_text(str(-HOUR))
            receiver.always(200)
            ids += [await _written(client, account) for _ in range(4)]
            # the retry that was put off to a time an hour away comes all the same
            await eventually(lambda: len(set(receiver.ids())) == 5, 30)
            await eventually(account.right, 30)
            assert await alerts_of(client, "cool") == [0], "`now` stands still: the cooldown is not over"
            assert ids == sorted(ids) and len(set(ids)) == len(ids)
            answer = await client.get("/v1/data/acme/d?limit=100")
            times = {row["n"]: parse_time(row["_time"]) for row in answer.json}
            assert times[5] > times[6], "a record has the time that the clock said when it came"
        await _after_a_restart(broker, account, receiver)


async def _written(client: Client, account: Account) -> str:
    answer = await client.post("/v1/write/acme/d?timeout=60", json=[{"n": len(account.sent)}])
    assert answer.status == 200, answer.body
    account.told[len(account.sent)] = 0
    account.sent.add(len(account.sent))
    return str(answer.json["writeId"])


async def _after_a_restart(broker: Broker, account: Account, receiver: Collector) -> None:
    """A restart with the clock still wrong: offsets, claims and ids go on."""
    broker.kill()
    broker.start()
    key = {"Idempotency-Key": "once"}
    body = [{"n": len(account.sent)}]
    account.told[len(account.sent)] = 0
    account.sent.add(len(account.sent))
    async with calling(broker) as client:
        first = await client.post("/v1/write/acme/d?timeout=60", json=body, headers=key)
        again = await client.post("/v1/write/acme/d?timeout=60", json=body, headers=key)
    assert (first.status, again.status) == (200, 200)
    assert first.json["writeId"] == again.json["writeId"]
    await eventually(account.right, 30)
    even = sum(n % 2 == 0 for n in account.sent)
    await eventually(lambda: len(set(receiver.ids())) == even, 30)


async def test_deliveries_dated_before_a_restart_are_not_put_off_by_a_clock_set_back(tmp_path: Path) -> None:
    with Collector() as receiver, armed(tmp_path / "clock") as broker:
        async with calling(broker) as client:
            account = Account(broker.data)
            receiver.always(503)
            hook = {"kind": "webhook", "url": receiver.url, "rules": ["even"]}
            assert (await client.post("/v1/subscriptions/acme", json=hook)).status == 201
            assert (await client.post("/v1/rules/acme", json=RULE)).status == 201
            await _written(client, account)
            await eventually(lambda: len(receiver.received) >= 1, 30)
            broker.kill()
            (tmp_path / "clock").write_text(str(-HOUR))
            receiver.always(200)
            seen = len(receiver.received)
            broker.start()
            await eventually(lambda: len(receiver.received) > seen, 30)


async def test_a_clock_set_forward_and_back_again_loses_nothing(tmp_path: Path) -> None:
    with armed(tmp_path / "clock") as broker:
        async with calling(broker) as client:
            account = Account(broker.data)
            for rule in (RULE, COOL):
                assert (await client.post("/v1/rules/acme", json=rule)).status == 201
            await _written(client, account)
            for wrong in (HOUR, 26 * HOUR, 0, -HOUR, 0):
                (tmp_path / "clock").write_text(str(wrong))
                for _ in range(3):
                    await _written(client, account)
            await eventually(account.right, 30)
            await _eventually_equal(lambda: alerts_of(client, "cool"), [0, 1, 4])
            (tmp_path / "clock").write_text(str(28 * HOUR))
            await _written(client, account)
            await _eventually_equal(lambda: alerts_of(client, "cool"), [0, 1, 4, 16])
            assert (await client.get("/ready")).status == 200


async def _eventually_equal(ask: Callable[[], object], wanted: object) -> None:
    async def equal() -> None:
        assert await ask() == wanted  # type: ignore[misc]

    await eventually(equal, 30)
