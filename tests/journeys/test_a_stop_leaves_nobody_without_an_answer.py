"""Whoever waits, or has not sent all, when the broker is stopped is told so; what was promised is kept."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from tests.rubbish.raw import Raw, Said, head, post
from tests.stage.broker import Client
from tests.stage.patience import eventually
from tests.stage.process import Broker

RECORDS = 150_000
TOKEN = "sk_of_a_stop"
SETTINGS = {"SLUICE_ADMIN_TOKEN": TOKEN, "SLUICE_STOP_DEADLINE": "4s", "SLUICE_FREE_DISK": "1MB"}


async def answered_at_the_stop(
    broker: Broker, sent: bytes, begun: Callable[[Client], Awaitable[object]]
) -> Said:
    """Send a request, stop the broker once it has `begun`, and return the answer."""
    async with Raw(broker.url) as connection, aiohttp.ClientSession() as session:
        await connection.send(sent)
        await begun(Client(broker.url, TOKEN, session))
        broker.send(signal.SIGTERM)
        said = await connection.answer()
    assert await asyncio.to_thread(broker.wait) == 0
    assert "Traceback" not in broker.logs
    assert said is not None
    return said


async def read_before(client: Client) -> None:
    """Return once what was sent before is read: answers come in that order."""
    assert (await client.get("/ready")).status == 200


async def made_a_job(client: Client) -> None:
    """Return once there is a job."""

    async def made() -> None:
        assert (await client.get("/v1/jobs/w/ingest")).json["jobs"]

    await eventually(made, 10)


@pytest.mark.parametrize(
    "path", ["/v1/write/w/d", "/v1/record/w/d", "/v1/data/w/d", "/api/v2/write?org=w&bucket=b"]
)
async def test_a_body_that_is_not_whole_when_the_broker_stops_is_refused_and_may_be_sent_again(
    path: str,
) -> None:
    with Broker(SETTINGS) as broker:
        sent = head(path, TOKEN, "Content-Length: 100") + b"[{"
        said = await answered_at_the_stop(broker, sent, read_before)
        assert said.status == 503
        assert int(said.headers["retry-after"]) > 0
        assert "stopp" in said.json["message"]


async def test_who_waits_for_a_load_when_the_broker_stops_learns_which_job_it_is_and_the_job_is_done() -> (
    None
):
    body = b"n\n" + b"".join(b"%d\n" % n for n in range(RECORDS))
    with Broker(SETTINGS) as broker:
        sent = post("/v1/data/w/d?wait=true", TOKEN, body)
        said = await answered_at_the_stop(broker, sent, made_a_job)
        assert (said.status, said.json["code"]) == (504, "too_slow")
        broker.start()
        async with aiohttp.ClientSession() as session:
            client = Client(broker.url, TOKEN, session)

            async def done() -> None:
                job = await client.get(said.json["jobUrl"])
                assert job.json["status"] == "INGESTED", job.json

            await eventually(done, 60)
            for offset, there in ((RECORDS - 1, 1), (RECORDS, 0)):
                rows = (await client.get(f"/v1/data/w/d?limit=1&offset={offset}")).json
                assert len(rows) == there


async def test_who_listens_to_events_is_told_that_the_broker_stops_and_not_that_some_were_left_out() -> None:
    with Broker(SETTINGS) as broker:
        async with aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with session.get(f"{broker.url}/v1/events/w/stream", headers=headers) as stream:
                await stream.content.readuntil(b"\n")
                broker.send(signal.SIGTERM)
                rest = await stream.content.read()
        assert await asyncio.to_thread(broker.wait) == 0
    assert b"stopping; connect again" in rest
    assert b"left out" not in rest
