"""How Telegraf, Home Assistant, Proxmox VE and curl call, and the documentation page's examples."""

import gzip
import json
import os
import socket
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from shutil import which
from time import perf_counter

import pytest

from tests.clients.broker import TOKEN, broker, until_stored
from tests.clients.page import examples
from tests.stage.patience import eventually_sync
from tests.stage.process import Broker
from tests.stage.stored import stored

CURL = which("curl")


@pytest.fixture(scope="module")
def running() -> Iterator[Broker]:
    with broker() as made:
        yield made


def test_telegraf_for_version_2_sends_gzip_in_chunks_without_a_length_or_a_precision(running: Broker) -> None:
    body = gzip.compress(b"cpu,host=h v=1 1630424257000000000\ncpu,host=h v=2 1630424258000000000\n")
    connection = HTTPConnection("127.0.0.1", running.port, timeout=5)
    headers = {
        "Authorization": f"Token {TOKEN}",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Encoding": "gzip",
        "User-Agent": "Telegraf/1.31.0 Go/1.22.4",
    }
    chunks = (body[at : at + 20] for at in range(0, len(body), 20))
    connection.request("POST", "/api/v2/write?bucket=b&org=tg", chunks, headers, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (204, b"")
    until_stored(running, "tg", "b__cpu", [1.0, 2.0])


def test_telegraf_for_version_1_makes_a_database_and_writes_with_basic(running: Broker) -> None:
    connection = HTTPConnection("127.0.0.1", running.port, timeout=5)
    basic = {"Authorization": "Basic " + b64encode(f"telegraf:{TOKEN}".encode()).decode()}
    form = {**basic, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/query", b"q=CREATE+DATABASE+%22telegraf%22", form)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (200, {"results": [{"statement_id": 0}]})
    connection.request(
        "POST", "/write?db=telegraf&rp=", b"mem v=1 1\n", {**basic, "Content-Type": "text/plain"}
    )
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (204, b"")
    until_stored(running, "default", "telegraf__mem", [1.0])


def test_home_assistant_tries_with_an_empty_body(running: Broker) -> None:
    connection = HTTPConnection("127.0.0.1", running.port, timeout=5)
    headers = {"Authorization": f"Token {TOKEN}"}
    connection.request("POST", "/api/v2/write?org=ha&bucket=ha&precision=ns", b"", headers)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (204, b"")


def test_proxmox_asks_for_health_and_writes_without_a_content_type_within_a_second(running: Broker) -> None:
    lines = b"".join(b"system,object=nodes,host=pve cpu=%d,mem=%di %d\n" % (n, n, n) for n in range(2_000))
    warm = HTTPConnection("127.0.0.1", running.port, timeout=20)
    warm.request("POST", "/api/v2/write?org=pve&bucket=b", b"system,object=nodes cpu=1,mem=1i 1", token())
    assert warm.getresponse().status == 204  # the dataset is made
    connection = HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("GET", "/health", headers=token())
    health = connection.getresponse()
    assert (health.status, json.loads(health.read())["status"]) == (200, "pass")
    took = []
    for _ in range(5):  # the quickest of some, as the machine may be busy with other things
        started = perf_counter()
        connection.request("POST", "/api/v2/write?org=pve&bucket=b", lines, token())
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (204, b"")
        took.append(perf_counter() - started)
    assert min(took) < 1


def token() -> dict[str, str]:
    return {"Authorization": f"Token {TOKEN}"}


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_curl_sends_a_large_body_once_it_may(running: Broker, tmp_path: Path) -> None:
    lines = "".join(f"m,host=h{n % 50} v={n} {n}\n" for n in range(100_000))
    (tmp_path / "lines").write_text(lines)
    url = f"{running.url}/api/v2/write?org=curl&bucket=b&wait=true&timeout=60"
    done = subprocess.run(
        [
            *(str(CURL), "-sS", "-v", "-H", f"Authorization: Token {TOKEN}", "--expect100-timeout", "20"),
            *("-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path / 'lines'}", url),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert "100 Continue" in done.stderr and "204 No Content" in done.stderr
    assert len(stored(running.data, "curl", "b__m")) == 100_000


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_curl_is_told_of_a_bad_line_and_of_a_quota_and_loses_nothing() -> None:
    with broker(quota_records="5") as running:
        url = f"{running.url}/api/v2/write?org=curl&bucket=b"

        def curl(body: str, *more: str) -> str:
            head = ["-sS", "-i", "-H", f"Authorization: Token {TOKEN}", "--data-binary", body]
            done = subprocess.run(
                [str(CURL), *head, *more, url], capture_output=True, text=True, timeout=60, check=True
            )
            return done.stdout

        told = curl("\n".join(["bad", *(f"m v={n} {n}" for n in range(12))]))
        assert " 400 " in told and '"line":1' in told and "partial write" in told
        assert " 429 " in (told := curl("m v=99 99")) and "retry-after: " in told
        assert " 204 " in curl("m v=99 99", "--retry", "10")
        until_stored(running, "curl", "b__m", [*map(float, range(12)), 99.0])


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_the_examples_on_the_page_work_as_they_stand_there(running: Broker, tmp_path: Path) -> None:
    env = {**os.environ, "HOST": running.url, "T": TOKEN, "ORG": "seed"}
    written = examples("sh")
    assert len(written) == 2
    for example in written:
        subprocess.run(["bash", "-euc", example], env=env, cwd=tmp_path, timeout=60, check=True)

    def there() -> None:
        found = stored(running.data, "seed", "example_2D_bucket__airSensors")
        assert [(r["time"], r["sensor_id"], r["temperature"], r["co"]) for r in found] == [
            ("2021-08-31T15:37:37.000000000Z", "TLM0201", 73.97038159354763, 0.48445310567793615),
            ("2021-08-31T15:37:37.000000000Z", "TLM0202", 75.30007505999716, 0.5141876544505826),
            ("2021-09-01T19:42:38.000000000Z", "TLM0201", 73.97038159354763, 0.48445310567793615),
            ("2021-09-01T19:42:38.000000000Z", "TLM0202", 75.30007505999716, 0.5141876544505826),
        ]

    eventually_sync(there, 10)


def test_a_caller_that_goes_away_in_its_body_breaks_nothing(running: Broker) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as caller:
        head = f"POST /api/v2/write?org=gone&bucket=b HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKEN}\r\n"
        caller.sendall(head.encode() + b"Content-Length: 100\r\n\r\nm v=1 1\n")
    connection = HTTPConnection("127.0.0.1", running.port, timeout=5)
    connection.request("POST", "/api/v2/write?org=gone&bucket=b&wait=true", b"m v=2 2\n", token())
    assert connection.getresponse().status == 204
    assert [r["v"] for r in stored(running.data, "gone", "b__m")] == [2.0]
