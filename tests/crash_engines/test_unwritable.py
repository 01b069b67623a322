"""PostgreSQL that takes no writes, read-only or out of disk: under load, and nothing is lost."""

import asyncio
import json
from http.client import HTTPConnection
from typing import Any

from tests.crash.report import said
from tests.crash.seed import SEED
from tests.crash_engines.field import Engines, Field
from tests.crash_engines.rig import FieldRig, rigged
from tests.crash_engines.unwritable import SPACE, filled, read_only, small_disk
from tests.engines.quartet import TOKEN, ask, metric
from tests.stage.patience import eventually
from tests.stage.process import Broker
from tests.stage.stored import stored

READ_ONLY, FULL = "PostgreSQL read-only", "PostgreSQL out of disk"
DEADLINE = 90.0
UNWRITABLE = 12.0
"""Seconds: longer than the longest pause between two tries of a worker, and than two sessions."""


async def test_a_read_only_database_refuses_or_delays_writes_and_all_goes_on_alone(engines: Engines) -> None:
    async with rigged(engines, f"{SEED}-read-only") as rig:
        await loaded(rig)
        with read_only(rig.field):
            taken = await asyncio.to_thread(answers, rig.field)
            await until_retried(rig.field)
            again = rig.field.workers[0]
            again.kill()
            again.start(wait=False)
            await asyncio.to_thread(again.says, "The start waits", DEADLINE)
            await asyncio.sleep(UNWRITABLE)
            for one in (*rig.field.apis, rig.field.workers[1]):
                await asyncio.to_thread(alive, one)
        await recovered(rig, READ_ONLY)
        there = sorted(row["n"] for row in stored(rig.broker.data, "other", "d"))
        assert there == [0, *taken], "what was taken meanwhile is stored, once"


async def test_a_disk_that_is_full_delays_writes_and_all_goes_on_alone(engines: Engines) -> None:
    with small_disk(engines) as disk:
        async with rigged(engines, f"{SEED}-full", space=SPACE) as rig:
            await loaded(rig)
            with filled(disk):
                await until_retried(rig.field)
                await asyncio.sleep(UNWRITABLE)
                for one in rig.field.everybody:
                    await asyncio.to_thread(alive, one)
            assert any("o space left" in worker.logs for worker in rig.field.workers)
            await recovered(rig, FULL)


async def loaded(rig: FieldRig) -> None:
    """Let the clients work, and have a dataset that nobody else writes to."""
    rig.load.work(hurry=0.3)
    await rig.until_more(100)
    status, told = await asyncio.to_thread(ask, rig.field.apis[0], "POST", "/v1/write/other/d", [{"n": 0}])
    assert status == 200, told


async def until_retried(field: Field) -> None:
    """Return once a worker was refused and tries again."""
    before = [metric(worker, "sluice_retries_total") for worker in field.workers]

    def tried() -> bool:
        now = [metric(worker, "sluice_retries_total") for worker in field.workers]
        return any(after > first for first, after in zip(before, now, strict=True))

    await eventually(lambda: asyncio.to_thread(tried), DEADLINE)


async def recovered(rig: FieldRig, what: str) -> None:
    """Audit what was stored, once nothing is in the way any more and nobody was started again."""
    seconds = await rig.until_more(100)
    for one in rig.field.everybody:
        await asyncio.to_thread(one.until_ready)
        await asyncio.to_thread(alive, one)
    found = await rig.audit()
    said(what, f"{UNWRITABLE:g} s", rig.load.account, found, seconds, 0)


def alive(one: Broker) -> None:
    """Check that a process works on, and that nothing in it has stopped for good."""
    assert ask(one, "GET", "/health")[1]["status"] == "pass"
    for word in ("partition_stopped", "task_died", "request_failed"):
        assert f'"action": "{word}"' not in one.logs, word


def answers(field: Field) -> list[int]:
    """Check what each kind of request is answered meanwhile, and return the numbers that were taken."""
    api = field.apis[0]
    assert sent(api, "POST", "/v1/record/other/d", [{"n": 1}])[0] == 202, "the log takes it"
    waited = sent(api, "POST", "/v1/write/other/d?timeout=1", [{"n": 2}])
    assert waited[0] == 504 and waited[2]["writeId"]
    published = sent(api, "POST", "/v1/record/other/d?persist=false", [{"n": 3}])
    assert published[0] == 202
    refused: tuple[tuple[str, str, Any, dict[str, str]], ...] = (
        ("POST", "/v1/record/other/d", [{"n": 4}], {"Idempotency-Key": "k"}),
        ("POST", "/v1/write/other/d", [{"n": 5}], {"Idempotency-Key": "l"}),
        ("POST", "/v1/record/other/unheard_of", [{"n": 6}], {}),
        ("POST", "/v1/record/other/d", [{"n": 7, "more": "x"}], {}),
        ("POST", "/v1/rules/other", {"id": "r", "on": "d", "where": "n > 0"}, {}),
        ("POST", "/v1/subscriptions/other", {"kind": "webhook", "url": "http://127.0.0.1:9/"}, {}),
        ("POST", "/v1/datasets/other", {"dataset": {"datasetId": "e"}}, {}),
        ("POST", "/v1/tokens", {"workspace": "other", "scopes": ["write"]}, {}),
        ("POST", "/v1/data/other/d", [{"n": 8}], {}),
    )
    for method, path, body, more in refused:
        status, headers, told = sent(api, method, path, body, **more)
        assert status == 503 and int(headers["Retry-After"]) >= 1, (method, path, status, told)
    status, _, rows = sent(api, "GET", "/v1/data/other/d")
    assert (status, [row["n"] for row in rows]) == (200, [0])
    later = range(100, 140)
    for n in later:
        assert sent(field.apis[n % 2], "POST", "/v1/record/other/d", [{"n": n}])[0] == 202
    return [1, 2, *later]


def sent(api: Broker, method: str, path: str, body: Any = None, **more: str) -> tuple[int, Any, Any]:
    """Send a request; return its status, headers and body."""
    connection = HTTPConnection("127.0.0.1", api.port, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **more}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read() or b"null")
    finally:
        connection.close()
