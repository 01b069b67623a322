"""Two processes that take requests and two that work behind them, on one Kafka and one PostgreSQL."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from tests.stage.process import Broker

TOKEN = "sk_for-all-the-processes-of-this-test"
READY_WITHIN = 90.0
"""Seconds: the first of them makes topics and tables, on a machine that may be loaded."""


@dataclass(frozen=True, slots=True)
class Quartet:
    """The processes, by what they do."""

    apis: tuple[Broker, Broker]
    workers: tuple[Broker, Broker]


def process(command: str, env: Mapping[str, str]) -> Broker:
    """Return a process of one command, which does not run yet."""
    own = {"SLUICE_ADMIN_TOKEN": TOKEN, "SLUICE_FREE_DISK": "1MB", "SLUICE_ALLOW_PRIVATE_TARGETS": "true"}
    return Broker(
        {**own, **env},
        command=(sys.executable, "-m", "infra.cli", command),
        ready_within=READY_WITHIN,
    )


@contextmanager
def quartet(env: Mapping[str, str]) -> Iterator[Quartet]:
    """Run two of each, all started at once."""
    apis = process("api", env), process("api", env)
    workers = process("work", env), process("work", env)
    with ExitStack() as stack:
        for one in (*apis, *workers):
            stack.callback(one.close)
            one.start(wait=False)
        for one in (*apis, *workers):
            one.until_ready()
        yield Quartet(apis, workers)


def ask(
    broker: Broker,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str = TOKEN,
    timeout: float = 30.0,
    **headers: str,
) -> tuple[int, Any]:
    """Send a request and return status and body; bytes go as they are, anything else as JSON."""
    connection = HTTPConnection("127.0.0.1", broker.port, timeout=timeout)
    try:
        sent = {"Authorization": f"Bearer {token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if payload is not None and not isinstance(body, bytes):
            sent["Content-Type"] = "application/json"
        connection.request(method, path, payload, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def metric(broker: Broker, name: str) -> float:
    """Return the sum of a metric's samples."""
    connection = HTTPConnection("127.0.0.1", broker.port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + " ", name + "{")))
