"""Secrets of tokens and webhooks: in no log, no answer, no metric, no file, whatever fails."""

import contextlib
import re
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from rules.ids import token_hash
from tests.stage.collector import Collector
from tests.stage.patience import eventually_sync
from tests.stage.process import HOUSE, Broker

ADMIN = "correct-horse-battery-staple"
WRONG = "wr0ng-guess-of-somebody"
WEBHOOK = "whsec_" + "c2VjcmV0LW9mLXRoZS13ZWJob29rLTEyMzQ1Njc4"


def asked(
    broker: Broker, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Return status and body of an answer; (0, what came) where the connection broke."""
    connection = HTTPConnection("127.0.0.1", broker.port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read() + str(answer.headers).encode()
    except (OSError, HTTPException) as error:
        return 0, repr(error).encode()
    finally:
        connection.close()


def raw(broker: Broker, request: bytes) -> bytes:
    """Return what a request that is no HTTP is answered with."""
    with socket.create_connection(("127.0.0.1", broker.port), 5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            return connection.recv(100_000)
    return b""


def carried(secret: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (query, headers) for each place a token may stand in, and some where it should not."""
    yield "", {"Authorization": f"Bearer {secret}"}
    yield "", {"Authorization": f"Token {secret}"}
    yield "", {"Authorization": f"Basic {secret}"}
    yield "", {"Authorization": secret}
    yield "", {"x-api-key": secret}
    yield f"token={secret}", {}
    yield f"limit=x&token={secret}&token={secret}", {}


REQUESTS = (
    ("POST", "/v1/write/acme/d", b'[{"a": 1}]'),
    ("POST", "/v1/write/acme/d", b'[{"a": '),
    ("POST", "/v1/write/acme/d", b'[{"a": "wrong type"}, 7]'),
    ("POST", "/v1/record/acme/d", b""),
    ("PUT", "/v1/write/acme/d", b"{}"),
    ("POST", "/v1/write/acme/_reserved", b'[{"a": 1}]'),
    ("GET", "/v1/data/acme/d", b""),
    ("GET", "/v1/data/acme/d/key", b""),
    ("DELETE", "/v1/data/acme/d", b""),
    ("GET", "/v1/alerts/acme", b""),
    ("POST", "/v1/rules/acme", b'{"id": "r", "on": "d", "where": "a >"}'),
    ("POST", "/v1/rules/acme", b"\xff\xfe"),
    ("POST", "/v1/subscriptions/acme", b'{"kind": "webhook", "url": "http://127.0.0.1/"}'),
    ("POST", "/v1/tokens", b'{"workspace": "acme", "scopes": ["nope"]}'),
    ("GET", "/v1/nowhere", b""),
    ("GET", "/v1/writes/" + "0" * 32, b""),
    ("PATCH", "/metrics", b""),
)


def test_a_token_is_in_no_log_answer_metric_or_file_whatever_fails() -> None:
    environment = {"SLUICE_ADMIN_TOKEN": ADMIN, "SLUICE_FREE_DISK": "1MB"}
    with Broker(environment) as broker:
        status, body = asked(
            broker,
            "POST",
            "/v1/tokens",
            b'{"workspace": "acme", "scopes": ["admin"], "title": "t"}',
            {"x-api-key": ADMIN},
        )
        assert status == 201
        found = re.search(rb"sk_[\w-]+", body)
        assert found is not None
        secrets = [ADMIN, WRONG, found[0].decode()]
        answers = []
        for secret in secrets:
            for query, headers in carried(secret):
                for method, path, sent in REQUESTS:
                    more = {**headers, "Idempotency-Key": f"{method}{path}"} if sent else headers
                    answers.append(asked(broker, method, f"{path}?{query}", sent, more))
            line = f"GET /v1/alerts/acme?token={secret} HTTP/9.9\r\nAuthorization: Bearer {secret}\r\n\r\n"
            answers.append((0, raw(broker, line.encode())))
            answers.append((0, raw(broker, line.encode() * 200)))
            answers.append((0, raw(broker, f"\x16\x03{secret}\r\n\r\n".encode())))
        assert {status // 100 for status, _ in answers} >= {2, 4}
        broken(broker, answers, found[0].decode())
        answers.append(asked(broker, "GET", "/metrics"))
        answers.append(asked(broker, "GET", "/ready"))
        title = (
            Path(f"/proc/{broker.pid}/cmdline").read_bytes() + Path(f"/proc/{broker.pid}/comm").read_bytes()
        )
        broker.stop()
        for secret in secrets:
            for status, told in answers:
                assert secret.encode() not in told, (status, told)
            assert secret not in broker.logs
            assert secret.encode() not in title
            assert files_with(broker.data, secret.encode()) == []
        hashed = token_hash(found[0].decode()).encode()
        assert files_with(broker.data, hashed) != []
        assert "request_failed" in broker.logs, "a failure inside was provoked, or nothing was proven by it"


def broken(broker: Broker, answers: list[tuple[int, bytes]], secret: str) -> None:
    """Make requests fail inside: their tables are taken away beneath them."""
    with contextlib.closing(sqlite3.connect(broker.data / "sluice.db", timeout=10)) as database:
        database.execute("ALTER TABLE alert RENAME TO alert_gone")
        database.execute("ALTER TABLE claim RENAME TO claim_gone")
        database.commit()
    for query, headers in carried(secret):
        answers.append(asked(broker, "GET", f"/v1/alerts/acme?{query}", b"", headers))
        more = {**headers, "Idempotency-Key": "k", "Content-Type": "application/json"}
        answers.append(asked(broker, "POST", f"/v1/record/acme/d?{query}", b'[{"a": 1}]', more))
    assert any(status == 500 for status, _ in answers)


def files_with(data: Path, secret: bytes) -> list[str]:
    """Return the files below `data` that hold `secret`, less the administrator's token where it is kept."""
    return [
        path.name
        for path in sorted(data.rglob("*"))
        if path.is_file() and path.name != "admin-token" and secret in path.read_bytes()
    ]


def test_a_made_token_is_kept_in_one_file_for_its_owner_only_and_hashed_elsewhere() -> None:
    with Broker() as broker:
        secret = broker.token
        asked(broker, "POST", "/v1/write/acme/d", b'[{"a": 1}]', {"x-api-key": secret})
        assert files_with(broker.data, secret.encode()) == []
        assert files_with(broker.data, token_hash(secret).encode()) != []
        logged = [line for line in broker.logs.splitlines() if secret in line]
        assert len(logged) == 1, "it is shown once"
        for path in broker.data.rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode & 0o077 == 0, f"{path.name} can be read by others: {mode:03o}"
        broker.restart()
        assert broker.logs.count(secret) == 1, "and not again"


def test_the_secret_of_a_webhook_is_shown_to_who_made_it_and_to_nobody_else() -> None:
    environment = {"SLUICE_ADMIN_TOKEN": ADMIN, "SLUICE_ALLOW_PRIVATE_TARGETS": "on"}
    with Broker(environment) as broker, Collector() as receiver:
        receiver.always(500)
        own = {"x-api-key": ADMIN}
        body = f'{{"kind": "webhook", "url": "{receiver.url}?key=in-the-query", "secret": "{WEBHOOK}"}}'
        status, made = asked(broker, "POST", "/v1/subscriptions/acme", body.encode(), own)
        assert status == 201 and WEBHOOK.encode() in made
        answers = [
            asked(broker, "POST", "/v1/subscriptions/acme", wrong.encode(), own)
            for wrong in (body.replace(WEBHOOK, WEBHOOK + "!"), body.replace("webhook", "email"), body[:-1])
        ]
        assert {status for status, _ in answers} <= {400, 422}
        asked(broker, "POST", "/v1/rules/acme", b'{"id": "r", "on": "d", "where": "true"}', own)
        asked(broker, "POST", "/v1/write/acme/d", b'[{"a": 1}]', own)
        eventually_sync(lambda: bool(receiver.received), 15)
        broker.says("delivery_failed", 15)
        answers += [
            asked(broker, "GET", path, b"", own)
            for path in ("/v1/subscriptions/acme", "/v1/alerts/acme", "/metrics", "/ready")
        ]
        for _, told in answers:
            assert WEBHOOK.encode() not in told
        assert WEBHOOK not in broker.logs
        assert "in-the-query" not in broker.logs
        assert receiver.received[0].signed_with(WEBHOOK)


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_the_list_of_settings_hides_the_administrators_token(arguments: tuple[str, ...]) -> None:
    shown = subprocess.run(
        (sys.executable, "-m", "infra.cli", "settings", *arguments),
        cwd=HOUSE,
        env={"SLUICE_ADMIN_TOKEN": ADMIN, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "SLUICE_ADMIN_TOKEN" in shown.stdout
    assert ADMIN not in shown.stdout + shown.stderr


@pytest.mark.parametrize("wrong", ["with a space", "x" * 257, "é-secret"])
def test_a_token_that_can_not_be_one_is_not_told(wrong: str) -> None:
    refused = subprocess.run(
        (sys.executable, "-m", "infra.cli", "settings"),
        cwd=HOUSE,
        env={"SLUICE_ADMIN_TOKEN": wrong, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 2
    assert wrong not in refused.stdout + refused.stderr
