"""The receiver of webhooks remembers, verifies, and misbehaves when told to."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.stage.collector import Collector
from tests.stage.patience import eventually_sync

SECRET = "whsec_" + base64.b64encode(b"a secret of enough bytes").decode()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def post(collector: Collector, body: bytes, **headers: str) -> tuple[int, dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", collector.port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", "/hook?x=1", body, named)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


def signature(body: bytes, number: str, stamp: str) -> str:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.new(key, f"{number}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def test_what_comes_is_remembered_in_order(collector: Collector) -> None:
    assert post(collector, b'{"a": 1}', Webhook_Id="n1")[0] == 200
    assert post(collector, b'{"a": 2}', Webhook_Id="n2")[0] == 200
    assert collector.url == f"http://127.0.0.1:{collector.port}/hook"
    assert collector.ids() == ["n1", "n2"]
    first = collector.received[0]
    assert (first.method, first.path, first.json) == ("POST", "/hook?x=1", {"a": 1})


def test_a_signature_is_good_for_its_body_and_secret_only(collector: Collector) -> None:
    stamp = str(int(time.time()))
    for body in (b"{}", b"{ }"):
        post(
            collector,
            body,
            Webhook_Id="n1",
            Webhook_Timestamp=stamp,
            Webhook_Signature=signature(b"{}", "n1", stamp),
        )
    right, changed = collector.received
    assert right.signed_with(SECRET)
    assert not changed.signed_with(SECRET)
    assert not right.signed_with("whsec_" + base64.b64encode(b"another").decode())


def test_it_fails_as_often_as_it_is_told_and_then_works_again(collector: Collector) -> None:
    collector.answer(500, times=2)
    collector.answer(429, headers={"Retry-After": "7"})
    found = [post(collector, b"") for _ in range(4)]
    assert [status for status, _ in found] == [500, 500, 429, 200]
    assert found[2][1]["retry-after"] == "7"
    collector.always(410)
    assert post(collector, b"")[0] == 410


def test_a_request_that_hangs_is_remembered_and_answered_once_released(collector: Collector) -> None:
    collector.hang(times=2)
    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(post, collector, b"") for _ in range(2)]
        eventually_sync(lambda: len(collector.received) == 2)
        assert post(collector, b"")[0] == 200
        assert not any(answer.done() for answer in answers)
        collector.release()
        assert [answer.result(timeout=5)[0] for answer in answers] == [200, 200]


def test_it_ends_although_a_request_hangs() -> None:
    with ThreadPoolExecutor(1) as threads, Collector() as collector:
        collector.hang()
        answer = threads.submit(post, collector, b"")
        eventually_sync(lambda: len(collector.received) == 1)
    assert answer.exception(timeout=5) is None
