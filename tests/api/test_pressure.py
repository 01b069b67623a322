"""Too much, too late, not now: 503 and 504 with what a caller needs to do better."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.stage.broker import Answer, running_broker
from tests.stage.house import House, house
from tests.stage.lock import locked
from tests.stage.patience import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.sqlite.engine.BUSY_MS", 300)
        data = tmp_path_factory.mktemp("pressure")
        async with house(data, max_inflight="256KB", backlog_bytes="128KB", partitions=1) as running:
            yield running


def unavailable(answer: Answer, code: str) -> bool:
    """Whether it is a 503 of this code with all that belongs to one."""
    assert answer.status == 503, answer.body
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"] == "application/problem+json"
    return bool(answer.json["code"] == code)


async def test_more_than_may_be_in_flight_is_503(here: House) -> None:
    w = here.workspace()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b" " * 200_000
        begun.set()
        await go_on.wait()
        yield b"[]"

    first = asyncio.create_task(here.client.post(f"/v1/record/{w}/d", data=slow()))
    await begun.wait()

    async def full() -> None:
        answer = await here.client.post(f"/v1/record/{here.workspace()}/d", data=b" " * 100_000 + b"[]")
        assert unavailable(answer, "overloaded")

    await eventually(full)
    go_on.set()
    assert (await first).status == 200
    answer = await here.client.post(f"/v1/write/{w}/d", json=[{"a": 1}])
    assert answer.status == 200


def bytes_of(size: int) -> bytes:
    return b" " * (size - 2) + b"[]"


@pytest.mark.parametrize(
    ("path", "body", "encoding"),
    [
        ("/v1/record/{}/d", bytes_of(300_000), ""),
        ("/v1/record/{}/d", gzip.compress(bytes_of(300_000), mtime=0), "gzip"),
        ("/api/v2/write?bucket=b&org={}", gzip.compress(b"m v=1 1\n" * 40_000, mtime=0), "gzip"),
        ("/v1/rules/{}", bytes_of(300_000), ""),
    ],
)
async def test_a_body_that_there_is_never_room_for_is_413_and_names_the_setting(
    here: House, path: str, body: bytes, encoding: str
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = await here.client.post(path.format(here.workspace()), data=body, headers=headers)
    assert answer.status == 413
    assert "Retry-After" not in answer.headers
    assert "SLUICE_MAX_INFLIGHT" in answer.json["message"]


async def test_a_body_that_says_it_is_too_large_is_not_waited_for(here: House) -> None:
    head = (
        f"POST /v1/record/{here.workspace()}/d HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n"
        f"Authorization: Bearer {here.client.token}\r\n\r\n"
    )
    port = int(here.client.url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode())
    status = await asyncio.wait_for(reader.readline(), 10)
    assert status.split()[1] == b"413"
    writer.close()


async def test_a_write_not_stored_in_time_is_504_and_stored_later(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": 0}])
    with locked(here.data):
        late = await here.client.post(f"/v1/write/{w}/d?timeout=0.3", json=[{"a": 1}, 7])
    assert (late.status, late.json["code"]) == (504, "too_slow")
    assert (late.json["accepted"], late.json["rejected"], len(late.json["errors"])) == (1, 1, 1)

    async def stored() -> None:
        told = await here.client.get(f"/v1/writes/{late.json['writeId']}")
        assert told.json["state"] == "stored"

    await eventually(stored, deadline=15)
    assert here.stored(w, "d") == [{"a": 0}, {"a": 1}]


async def test_while_the_store_is_down_keyed_writes_get_503_and_the_others_go_on(here: House) -> None:
    w = here.workspace()
    await here.client.post(f"/v1/write/{w}/d", json=[{"a": 0}])
    with locked(here.data):
        keyed = asyncio.ensure_future(
            here.client.post(f"/v1/record/{w}/d", json=[{"a": 1}], headers={"Idempotency-Key": "k"})
        )
        new = asyncio.ensure_future(here.client.post(f"/v1/record/{w}/new", json=[{"a": 1}]))
        unkeyed = await here.client.post(f"/v1/record/{w}/d", json=[{"a": 2}])
        assert unkeyed.status == 202
        assert unavailable(await keyed, "store_unavailable")
        assert unavailable(await new, "store_unavailable")
    again = await here.client.post(
        f"/v1/write/{w}/d?timeout=20", json=[{"a": 1}], headers={"Idempotency-Key": "other"}
    )
    assert again.status == 200
    await eventually(lambda: sorted(one["a"] for one in here.stored(w, "d")) == [0, 1, 2], deadline=15)


async def test_a_workspace_that_fills_its_half_of_the_backlog_is_refused_alone(here: House) -> None:
    full, other = here.workspace(), here.workspace()
    for name in (full, other):
        await here.client.post(f"/v1/write/{name}/d?timeout=20", json=[{"text": ""}])
    with locked(here.data):
        body = [{"text": "x" * 20_000}]

        async def filled() -> None:
            assert unavailable(await here.client.post(f"/v1/record/{full}/d", json=body), "backlog")

        await eventually(filled)
        assert (await here.client.post(f"/v1/record/{other}/d", json=[{"text": "y"}])).status == 202

    async def drained() -> None:
        assert (await here.client.post(f"/v1/record/{full}/d", json=[{"text": "z"}])).status == 202

    await eventually(drained, deadline=15)


async def test_a_disk_that_is_nearly_full_is_503_before_it_is_full(tmp_path: Path) -> None:
    async with running_broker(tmp_path, free_disk="1000000GB") as client:
        answer = await client.post("/v1/record/acme/d", json=[{"a": 1}])
        assert unavailable(answer, "disk_low")
        assert (await client.get("/health")).status == 200
