"""While PostgreSQL is away: what is only logged goes on, what needs it says so, and nothing is lost."""

from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.stage.broker import Client, running_broker
from tests.stage.patience import eventually
from tests.stage.postgres import fresh_database, named, need_server, run

DEADLINE = 60.0


def gone(url: str) -> None:
    """Take the database away: no connection is left, and none is let in."""
    away, name = named(need_server(), "postgres"), url.rpartition("/")[2]
    run(away, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    with psycopg.connect(away, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def back(url: str) -> None:
    run(named(need_server(), "postgres"), f"ALTER DATABASE {url.rpartition('/')[2]} ALLOW_CONNECTIONS true")


async def ready(client: Client, status: int) -> None:
    answer = await client.get("/ready")
    assert answer.status == status, answer.json
    assert answer.json["parts"]["store"]["ok"] is (status == 200)


async def test_writes_are_taken_while_it_is_away_and_stored_once_it_is_back(tmp_path: Path) -> None:
    with fresh_database() as url:
        async with running_broker(tmp_path, url) as client:
            rule = {"id": "hot", "on": "d", "where": "n >= 100"}
            assert (await client.post("/v1/rules/w", json=rule)).status == 201
            assert (await client.post("/v1/write/w/d", json=[{"n": 0}])).status == 200
            gone(url)
            await eventually(lambda: ready(client, 503), DEADLINE)
            for n in range(100, 110):
                assert (await client.post("/v1/record/w/d", json={"n": n})).status == 202
            for path in ("/v1/data/w/d", "/v1/alerts/w", "/v1/datasets/w"):
                asked = await client.get(path)
                assert (asked.status, asked.json["code"]) == (503, "store_unavailable")
                assert asked.headers["Retry-After"]
                assert str(conninfo_to_dict(url)["host"]).encode() not in asked.body
            assert (await client.get("/v1/data/w/d", token="sk_unknown")).status == 401
            new = await client.post("/v1/record/w/unknown", json={"n": 1})
            assert (new.status, new.json["code"]) == (503, "store_unavailable")
            back(url)
            await eventually(lambda: ready(client, 200), DEADLINE)

            async def stored() -> None:
                found = (await client.get("/v1/data/w/d?limit=100")).json
                assert sorted(record["n"] for record in found) == [0, *range(100, 110)]
                assert len((await client.get("/v1/alerts/w")).json["alerts"]) == 10

            await eventually(stored, DEADLINE)
