"""Promises of the design that one broker, asked over HTTP, can show."""

from pathlib import Path

from tests.stage.broker import running_broker
from tests.stage.lock import refuse


async def test_a_row_the_database_refuses_is_set_aside_and_the_others_are_stored(tmp_path: Path) -> None:
    async with running_broker(tmp_path) as client:
        assert (await client.post("/v1/write/acme/things", json=[{"name": "first"}])).status == 200
        # as only a fault of ours or of the engine would
        refuse(tmp_path, "d1", "c1", "poison")
        names = ["a", "poison", "b", "c", "poison", "d"]
        wrote = await client.post("/v1/write/acme/things", json=[{"name": name} for name in names])
        assert (wrote.status, wrote.json["inserted"]) == (200, 4)
        told = (await client.get(f"/v1/writes/{wrote.json['writeId']}")).json
        assert told["state"] == "partial"
        refused = [(q["index"], q["code"]) for q in told["quarantined"]]
        assert refused == [(1, "schema_violation"), (4, "schema_violation")]


async def test_repeats_of_a_stored_keyed_write_hold_no_bytes_in_flight(tmp_path: Path) -> None:
    async with running_broker(tmp_path, max_inflight="64KB") as client:
        body = [{"text": "x" * 20_000}]
        for _ in range(8):
            wrote = await client.post(
                "/v1/write/acme/texts", json=body, headers={"Idempotency-Key": "the same"}
            )
            assert (wrote.status, wrote.json["inserted"]) == (200, 1)
