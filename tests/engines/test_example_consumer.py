"""How to read `events` and `alerts` with a client of your own: an example that is run.

`follow` is all there is to it. It knows nothing of Sluice's code: topics.md beside `streams/kafka` says what
it needs to know.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from tests.engines.kafka_broker import kafka_broker

PREFIX = "example"
Origin = tuple[int, int, int]


async def follow(server: str, prefix: str, topic: str) -> AsyncIterator[dict[str, Any]]:
    """Yield what stands in `events` (records with their dataset) or `alerts` (notifications), each once."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=server,
        group_id="my-reader",
        auto_offset_reset="earliest",
        metadata_max_age_ms=1_000,
    )
    consumer.subscribe(pattern=rf"^{prefix}\.[0-9a-f]{{12}}\.{topic}$")
    last: dict[int, Origin] = {}
    seen: set[str] = set()
    await consumer.start()
    try:
        async for message in consumer:
            if topic == "alerts":
                notification = json.loads(message.value)
                if notification["id"] not in seen:  # keep them as long as the topic does
                    seen.add(notification["id"])
                    yield notification
                continue
            assert message.value[0] == 1, "a newer format"
            [entries] = msgspec.msgpack.decode(message.value[1:])
            for word, *fields in entries:
                if word != "h":
                    continue
                epoch, offset, workspace, dataset, _, _, stored, items, records = fields[:9]
                for item, record in zip(items, records, strict=True):
                    origin = (epoch, offset, item)
                    if origin > last.get(message.partition, (0, -1, -1)):
                        last[message.partition] = origin
                        yield {"dataset": f"{workspace}.{dataset}", "stored": stored, "record": record}
    finally:
        await consumer.stop()


async def first(count: int, told: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    async with asyncio.timeout(60):
        async for one in told:
            found.append(one)
            if len(found) == count:
                break
    return found


async def test_a_consumer_of_ones_own_reads_events_and_alerts_each_once(data: Path, servers: str) -> None:
    server = servers.removeprefix("kafka://")
    async with kafka_broker(data, servers, kafka_prefix=PREFIX, kafka_compression="zstd") as client:
        rule = {"id": "hot", "on": "readings", "where": "temp > 30", "key": ["station"]}
        assert (await client.post("/v1/rules/acme", json=rule)).status == 201
        for temp in (20, 31, 25, 40):
            record = {"station": "oslo", "temp": temp}
            assert (await client.post("/v1/write/acme/readings", json=[record])).status == 200
        await client.post("/v1/record/acme/seen?persist=false", json=[{"a": 1}])

        events = await first(5, follow(server, PREFIX, "events"))
        readings = [one for one in events if one["dataset"] == "acme.readings"]
        assert [one["record"]["temp"] for one in readings] == [20, 31, 25, 40]
        assert [(one["stored"], one["record"]["a"]) for one in events if one["dataset"] == "acme.seen"] == [
            (False, 1)
        ]
        notifications = await first(2, follow(server, PREFIX, "alerts"))
        assert [one["type"] for one in notifications] == ["alert.firing"] * 2
        assert [one["data"]["event"]["temp"] for one in notifications] == [31, 40]
        listed = (await client.get("/v1/alerts/acme")).json["alerts"]
        assert [one["data"] for one in reversed(notifications)] == listed
        assert [one["id"] for one in reversed(notifications)] == [alert["id"] for alert in listed]
