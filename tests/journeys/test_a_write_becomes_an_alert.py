"""The whole road, in one process, over HTTP."""

from pathlib import Path

from tests.stage.broker import running_broker
from tests.stage.collector import Collector
from tests.stage.patience import eventually


async def test_a_record_becomes_a_row_an_event_an_alert_and_a_signed_webhook(tmp_path: Path) -> None:
    with Collector() as receiver:
        async with running_broker(tmp_path / "data", allow_private_targets=True) as client:
            made = await client.post("/v1/subscriptions/acme", json={"kind": "webhook", "url": receiver.url})
            assert made.status == 201
            rule = {"id": "hot", "on": "readings", "where": "temp > 30", "key": ["station"]}
            assert (await client.post("/v1/rules/acme", json=rule)).status == 201
            wrote = await client.post("/v1/write/acme/readings", json=[{"station": "oslo", "temp": 31.5}])
            assert (wrote.status, wrote.json["inserted"]) == (200, 1)

            hook = await eventually(lambda: receiver.received[0])
            assert hook.signed_with(made.json["secret"])
            assert hook.json["type"] == "alert.firing"
            assert hook.json["data"]["key"] == {"station": "oslo"}
            told = await client.get(f"/v1/writes/{wrote.json['writeId']}")
            assert told.json["state"] == "stored"
            assert told.json["alerts"] == [hook.id]
