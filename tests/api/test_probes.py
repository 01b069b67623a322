"""What a process without a door for callers answers: the probes, and nothing else."""

import json
from typing import Any

import pytest

from api.entry.answer import Receive
from api.health import Vitals
from api.probes import probes, works_behind


async def asked(
    path: str, method: str = "GET", status: str = "ready"
) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("no body is read")

    async def send(message: Any) -> None:
        sent.append(message)

    vitals = Vitals(lambda: {"status": status, "parts": {}}, lambda: b"sluice_requests_total 7\n")
    no_body: Receive = receive
    await probes(vitals, works_behind)({"type": "http", "method": method, "path": path}, no_body, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize(("state", "status"), [("ready", 200), ("unready", 503)])
async def test_ready_answers_200_or_503_as_its_parts_are(state: str, status: int) -> None:
    answered, _, body = await asked("/ready", status=state)
    assert (answered, json.loads(body)["status"]) == (status, state)


async def test_health_and_metrics_are_answered_as_by_the_whole_broker() -> None:
    status, _, body = await asked("/health")
    assert (status, json.loads(body)["message"]) == (200, "alive")
    status, headers, body = await asked("/metrics")
    assert (status, body) == (200, b"sluice_requests_total 7\n")
    assert headers[b"content-type"].startswith(b"text/plain")


async def test_anything_else_is_404_and_says_whom_to_ask() -> None:
    status, headers, body = await asked("/v1/record/acme/d", "POST")
    assert (status, headers[b"content-type"]) == (404, b"application/problem+json")
    assert "sluice api" in json.loads(body)["detail"]


async def test_another_method_is_405_with_what_is_allowed() -> None:
    status, headers, _ = await asked("/ready", "POST")
    assert (status, headers[b"allow"]) == (405, b"GET")
