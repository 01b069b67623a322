"""A broker on Kafka, from HTTP to the alert; and what it says while Kafka is away."""

import asyncio
import os
import signal
from pathlib import Path

from infra.dev.kafka import Kafka
from tests.engines.kafka_broker import kafka_broker
from tests.stage.broker import Client
from tests.stage.patience import eventually

DEADLINE = 90.0


async def test_a_write_over_http_is_stored_and_alerts_by_way_of_kafka(data: Path, servers: str) -> None:
    async with kafka_broker(data, servers) as client:
        rule = {"id": "hot", "on": "readings", "where": "temp > 30"}
        assert (await client.post("/v1/rules/acme", json=rule)).status == 201
        for n in range(20):
            record = [{"station": f"s{n}", "temp": 20 + n}]
            answer = await client.post("/v1/write/acme/readings", json=record)
            assert (answer.status, answer.json["ack"]) == (200, "stored"), answer.body
        rows = (await client.get("/v1/data/acme/readings?limit=100")).json
        assert len(rows) == 20
        await eventually(lambda: raised(client, 9), DEADLINE)


async def test_while_kafka_is_away_readiness_names_the_log_and_writes_are_refused_until_it_is_back(
    data: Path, kafka: Kafka, servers: str
) -> None:
    async with kafka_broker(data, servers, kafka_timeout="2s") as client:
        await client.post("/v1/write/acme/d", json=[{"n": 0}])
        assert kafka.pid is not None
        os.kill(kafka.pid, signal.SIGKILL)
        first = await client.post("/v1/record/acme/d", json=[{"n": 1}])
        assert first.status == 503
        assert first.json["code"] in ("outcome_unknown", "log_unavailable")

        async def refused() -> None:
            answer = await client.post("/v1/record/acme/d", json=[{"n": 2}])
            assert (answer.status, answer.json["code"]) == (503, "log_unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
            ready = await client.get("/ready")
            assert ready.status == 503
            assert ready.json["parts"]["log"]["ok"] is False
            assert "Kafka" in ready.json["parts"]["log"]["message"]
            assert servers.rpartition(":")[2].encode() not in ready.body, "it tells nobody where Kafka is"

        await eventually(refused, DEADLINE)
        await asyncio.to_thread(kafka.up)

        async def recovered() -> None:
            assert (await client.get("/ready")).status == 200
            answer = await client.post("/v1/write/acme/d", json=[{"n": 3}])
            assert (answer.status, answer.json["ack"]) == (200, "stored")

        await eventually(recovered, DEADLINE)
        rows = (await client.get("/v1/data/acme/d?limit=100")).json
        values = [row["n"] for row in rows]
        assert {0, 3} <= set(values) <= {0, 1, 3}
        assert values.count(0) == 1 and values.count(1) <= 1


async def raised(client: Client, count: int) -> bool:
    return len((await client.get("/v1/alerts/acme")).json["alerts"]) == count
