"""Single attempts at receivers of every kind."""

import json
from asyncio import Event, StreamWriter, create_task, sleep, wait
from time import time

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from streams.delivery.webhook import Webhooks, mint_secret, sign
from tests.streams.delivery.answering import Answering
from tests.streams.delivery.receiver import always, in_turn, receiver, scripted, when

BODY = b'{"type":"alert.firing","data":{"id":"a1"}}'
SECRET = mint_secret()
SHORT = 0.3


def webhooks(deadline: float = 5.0) -> Webhooks:
    return Webhooks(version="1.2.3", allow_private=True, deadline=deadline)


async def test_a_receiver_can_verify_what_it_got() -> None:
    async with receiver(always(204)) as server, webhooks() as out:
        now = time()
        attempt = await out.attempt(server.url, SECRET, "a1b2", BODY, now)
    assert (attempt.status, attempt.error, attempt.retry_after, attempt.refused) == (204, None, None, False)
    (got,) = server.received
    assert Webhook(SECRET).verify(got.body, got.headers) == json.loads(BODY)
    assert got.body == BODY
    assert got.headers["webhook-id"] == "a1b2"
    assert got.headers["webhook-timestamp"] == str(int(now))
    assert got.headers["webhook-signature"] == sign(SECRET, "a1b2", int(now), BODY)
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["User-Agent"] == "Sluice/1.2.3"


@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_every_2xx_is_success(status: int) -> None:
    async with receiver(always(status)) as server, webhooks() as out:
        attempt = await out.attempt(server.url, SECRET, "n1", BODY, time())
    assert (attempt.status, attempt.error) == (status, None)


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503, 599])
async def test_every_other_answer_is_a_failure_with_its_status_in_words(status: int) -> None:
    async with receiver(always(status)) as server, webhooks() as out:
        attempt = await out.attempt(server.url, SECRET, "n1", BODY, time())
    assert attempt.status == status
    assert attempt.error
    assert str(status) in attempt.error


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_not_followed(status: int) -> None:
    async with receiver(always(200)) as second:
        async with receiver(always(status, {"Location": second.url})) as first, webhooks() as out:
            attempt = await out.attempt(first.url, SECRET, "n1", BODY, time())
        assert attempt.status == status
        assert "redirects are not followed" in str(attempt.error)
        assert len(first.received) == 1
        assert second.received == []


async def test_a_receiver_that_hangs_is_cut_at_the_deadline() -> None:
    gate = Event()
    async with receiver(when(gate)) as server, webhooks(SHORT) as out:
        attempt = await out.attempt(server.url, SECRET, "n1", BODY, time())
        gate.set()
    assert attempt.status is None
    assert attempt.error == "The receiver did not answer in full within 0.3 seconds."
    assert SHORT <= attempt.seconds < SHORT + 0.5


async def drip(writer: StreamWriter, head: bytes) -> None:
    writer.write(head)
    while True:
        writer.write(b"x")
        await writer.drain()
        await sleep(0.02)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1."]
)
async def test_a_receiver_that_drips_is_cut_at_the_deadline_wherever_it_is(head: bytes) -> None:
    async with scripted(lambda writer: drip(writer, head)) as url, webhooks(SHORT) as out:
        attempt = await out.attempt(url, SECRET, "n1", BODY, time())
    assert attempt.status is None
    assert attempt.error
    assert attempt.seconds < SHORT + 0.5


async def test_one_deadline_covers_all_phases_together() -> None:
    async def late_then_drip(writer: StreamWriter) -> None:
        await sleep(SHORT * 0.7)
        await drip(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")

    async with scripted(late_then_drip) as url, webhooks(SHORT) as out:
        attempt = await out.attempt(url, SECRET, "n1", BODY, time())
    assert attempt.error
    assert attempt.seconds < SHORT * 1.6


async def test_an_endless_answer_is_read_for_16_kb_and_no_further() -> None:
    sent = 0

    async def pour(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65_536)
            sent += 65_536

    async with receiver(pour) as server, webhooks() as out:
        attempt = await out.attempt(server.url, SECRET, "n1", BODY, time())
    assert (attempt.status, attempt.error) == (200, None)
    assert attempt.seconds < 2
    assert sent < 20_000_000


async def test_a_packed_answer_is_not_unpacked() -> None:
    async def bomb(request: web.BaseRequest) -> web.Response:
        return web.Response(body=b"not gzip at all", headers={"Content-Encoding": "gzip"})

    async with receiver(bomb) as server, webhooks() as out:
        assert (await out.attempt(server.url, SECRET, "n1", BODY, time())).error is None


async def test_a_refused_connection_is_a_failure_in_words() -> None:
    async with receiver(always(200)) as server:
        url = server.url
    async with webhooks() as out:
        attempt = await out.attempt(url, SECRET, "n1", BODY, time())
    assert attempt.status is None
    assert attempt.error == "No connection to the receiver: connection refused."
    assert not attempt.refused


async def say(writer: StreamWriter, what: bytes) -> None:
    writer.write(what)
    await writer.drain()


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (b"", "without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "before its answer ended"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000 + b"\r\n", "not valid HTTP"),
    ],
)
async def test_a_broken_answer_is_a_failure_in_words(answer: bytes, word: str) -> None:
    async with scripted(lambda writer: say(writer, answer)) as url, webhooks() as out:
        attempt = await out.attempt(url, SECRET, "n1", BODY, time())
    assert attempt.status is None
    assert word in str(attempt.error)


async def test_tls_to_a_receiver_that_speaks_none_is_a_failure_in_words() -> None:
    async with receiver(always(200)) as server, webhooks() as out:
        url = server.url.replace("http:", "https:")
        attempt = await out.attempt(url, SECRET, "n1", BODY, time())
    assert attempt.status is None
    assert str(attempt.error).startswith("The receiver offers no TLS connection that can be trusted: ")
    assert server.received == []


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b"])
async def test_a_name_that_is_not_there_is_a_failure_in_words(host: str) -> None:
    async with webhooks() as out:
        attempt = await out.attempt(f"http://{host}/", SECRET, "n1", BODY, time())
    assert attempt.status is None
    assert attempt.error
    assert "looked up" in attempt.error or "can't be used as a URL" in attempt.error


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "innocent.example"])
async def test_a_target_inside_is_refused_and_nothing_is_sent(host: str) -> None:
    async with (
        receiver(always(200)) as server,
        Webhooks(version="1", allow_private=False, resolver=Answering("127.0.0.1")) as out,
    ):
        url = server.url.replace("127.0.0.1", host)
        attempt = await out.attempt(url, SECRET, "n1", BODY, time())
        assert (attempt.status, attempt.refused) == (None, True)
        assert "may not be reached (loopback" in str(attempt.error)
        assert server.received == []


async def test_what_a_receiver_asks_for_with_retry_after_is_told() -> None:
    async with receiver(always(429, {"Retry-After": "120"})) as server, webhooks() as out:
        attempt = await out.attempt(server.url, SECRET, "n1", BODY, time())
    assert attempt.retry_after == 120.0


@pytest.mark.parametrize("secret", ["", "whsec_!!", "plain-and-private"])
async def test_a_secret_that_can_not_sign_sends_nothing_and_is_not_told(secret: str) -> None:
    async with receiver(always(200)) as server, webhooks() as out:
        attempt = await out.attempt(server.url, secret, "n1", BODY, time())
    assert attempt.status is None
    assert "secret" in str(attempt.error)
    assert "plain" not in str(attempt.error)
    assert server.received == []


@pytest.mark.parametrize("bad_id", ["n1\r\nX-Evil: 1", "n\ud800"])
async def test_an_id_that_fits_no_header_sends_nothing(bad_id: str) -> None:
    async with receiver(always(200)) as server, webhooks() as out:
        attempt = await out.attempt(server.url, SECRET, bad_id, BODY, time())
    assert attempt.error
    assert server.received == []


async def test_cookies_are_not_kept() -> None:
    async with receiver(always(200, {"Set-Cookie": "a=b"})) as server, webhooks() as out:
        for _ in range(2):
            await out.attempt(server.url, SECRET, "n1", BODY, time())
    assert all("Cookie" not in got.headers for got in server.received)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver(always(502)) as proxy, receiver(always(200)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with webhooks() as out:
            assert (await out.attempt(server.url, SECRET, "n1", BODY, time())).status == 200
        assert proxy.received == []


async def test_connections_are_bounded_in_all_and_to_one_host() -> None:
    gate = Event()
    async with (
        receiver(when(gate)) as one,
        receiver(when(gate)) as two,
        Webhooks(version="1", allow_private=True, connections=3, per_host=2) as out,
    ):
        tasks = [
            create_task(out.attempt(server.url, SECRET, f"n{n}", BODY, time()))
            for n in range(6)
            for server in (one, two)
        ]
        await one.until(1)
        await wait(tasks, timeout=0.1)
        assert one.inside <= 2
        assert one.inside + two.inside == 3
        gate.set()
        assert all([(await task).status == 200 for task in tasks])
    assert len(one.received) + len(two.received) == 12


async def test_one_receiver_is_asked_over_one_connection_while_it_keeps_it() -> None:
    ports: list[object] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.transport
        ports.append(request.transport.get_extra_info("peername"))
        return web.Response(text="thanks")

    async with receiver(answer) as server, webhooks() as out:
        for _ in range(5):
            await out.attempt(server.url, SECRET, "n1", BODY, time())
    assert len(set(ports)) == 1


async def test_every_error_is_short() -> None:
    async with receiver(in_turn(302)) as server, webhooks() as out:
        for url in (
            server.url,
            "http://" + "a" * 2_000 + ".invalid/",
            "http://" + "a." * 900 + "invalid/",
            "ftp://x",
        ):
            attempt = await out.attempt(url, SECRET, "n1", BODY, time())
            assert attempt.error
            assert len(attempt.error) <= 200
            assert SECRET not in attempt.error


async def test_attempts_need_an_open_pool() -> None:
    with pytest.raises(RuntimeError, match="must be entered"):
        await webhooks().attempt("http://127.0.0.1:1/", SECRET, "n1", BODY, time())
