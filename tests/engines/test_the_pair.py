"""Kafka and PostgreSQL together, as `sluice infra up` gives them, with two brokers that share them."""

import json
import shutil
import threading
from http.client import HTTPConnection, HTTPException
from typing import Any

from tests.stage.patience import eventually_sync
from tests.stage.process import Broker

TOKEN = "sk_for-both-of-the-brokers-of-this-test"
DEADLINE = 90.0


def ask(broker: Broker, method: str, path: str, body: Any = None, timeout: float = 30.0) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", broker.port, timeout=timeout)
    try:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def a_broker(pair: dict[str, str], **more: str) -> Broker:
    own = {"SLUICE_ADMIN_TOKEN": TOKEN, "SLUICE_SESSION": "3s", "SLUICE_HEARTBEAT": "500ms"}
    return Broker({**pair, **own, "SLUICE_FREE_DISK": "1MB", **more}, ready_within=DEADLINE)


def test_two_brokers_share_the_work_and_a_killed_one_loses_nothing_acknowledged(pair: dict[str, str]) -> None:
    with a_broker(pair) as first, a_broker(pair) as second:
        rule = {"id": "hot", "on": "readings", "where": "temp > 30"}
        assert ask(first, "POST", "/v1/rules/acme", rule)[0] == 201
        acknowledged: set[int] = set()
        stop = threading.Event()

        def write(broker: Broker, begin: int) -> None:
            n = begin
            while not stop.is_set():
                try:
                    status, _ = ask(broker, "POST", "/v1/record/acme/readings", [{"n": n, "temp": n % 40}])
                except (OSError, HTTPException):
                    return
                if status == 202:
                    acknowledged.add(n)
                n += 1

        writers = [
            threading.Thread(target=write, args=(broker, begin))
            for broker, begin in ((first, 0), (first, 10**6), (second, 2 * 10**6), (second, 3 * 10**6))
        ]
        for writer in writers:
            writer.start()
        eventually_sync(lambda: len(acknowledged) > 400, DEADLINE)
        second.kill()
        before = len(acknowledged)
        eventually_sync(lambda: len(acknowledged) > before + 200, DEADLINE)
        second.start()
        before = len(acknowledged)
        eventually_sync(lambda: len(acknowledged) > before + 100, DEADLINE)
        stop.set()
        for writer in writers:
            writer.join()

        def all_there() -> None:
            found = stored(second)
            assert acknowledged <= set(found)
            assert len(found) == len(set(found)), "a record is stored twice"

        eventually_sync(all_there, DEADLINE)
        wanted = {n for n in stored(first) if n % 40 > 30}
        eventually_sync(lambda: alerted(first) == sorted(wanted), DEADLINE)


def test_who_waits_at_one_broker_is_answered_for_what_another_stored(pair: dict[str, str]) -> None:
    with a_broker(pair) as first, a_broker(pair) as second:
        for n in range(40):
            broker = (first, second)[n % 2]
            status, answer = ask(broker, "POST", f"/v1/write/acme/waited_{n % 8}", [{"n": n}])
            assert (status, answer["ack"]) == (200, "stored")


def test_a_database_refuses_another_log_until_it_is_adopted_by_name(pair: dict[str, str]) -> None:
    with a_broker(pair):
        pass
    other = a_broker(pair, SLUICE_KAFKA_PREFIX="other")
    try:
        other.start(wait=False)
        assert other.wait(DEADLINE) == 1
        assert "sluice check --adopt" in other.logs
    finally:
        other.kill()
        shutil.rmtree(other.root, ignore_errors=True)


def stored(broker: Broker) -> list[int]:
    found: list[int] = []
    while True:
        path = f"/v1/data/acme/readings?limit=10000&offset={len(found)}"
        status, rows = ask(broker, "GET", path)
        assert status == 200
        found.extend(row["n"] for row in rows)
        if len(rows) < 10_000:
            return found


def alerted(broker: Broker) -> list[int]:
    found: list[int] = []
    after = ""
    while True:
        _, page = ask(broker, "GET", f"/v1/alerts/acme?limit=1000{after}")
        found.extend(alert["event"]["n"] for alert in page["alerts"])
        if page["next"] is None:
            return sorted(found)
        after = f"&after={page['next']}"
