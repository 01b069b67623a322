"""Made requests at the application itself, no server between: enough of them, many at once.

Of each answer: it comes in time, it is never the broker's failure, it is a success of the known shape or a
problem of the catalogue, and one that says to come again says when. After all of them: nothing is in flight,
no task and no file is left, memory is where it was, and what was accepted is stored, no more and no less.
"""

import asyncio
import gc
import json
import os
from collections import Counter
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from api.app import App, build
from api.entry.inflight import Inflight
from api.entry.params import Params
from infra import front
from rules.errors import CATALOGUE
from tests.bench.usage import resident_bytes
from tests.rubbish.made import Body, Head, Made, bodies, heads, joined
from tests.stage.broker import running_broker
from tests.stage.patience import eventually

SIDE: Final = 4
"""So many heads are made at a time and so many bodies; each head is sent with each body, all at once."""
LONGEST: Final = 20.0
GROWTH: Final = 120 * 1024 * 1024
"""Bytes by which memory may grow: datasets, validators and the database's cache are kept, to a bound."""
ROUNDS: Final = 200
"""So many times a run of hypothesis's makes them: it remembers all that it made, and that is no leak."""
LATE: Final = {"overloaded", "backlog", "too_slow"}
"""What a broker with nothing else to do may say where its machine has much; all else is its own fault."""
FEW: Final = 100
"""One answer in so many may be of those."""
SUCCESS: Final = {"success", "message", "ack", "accepted", "rejected"}
WARM: Final = 0.2


@dataclass(slots=True)
class Tally:
    """What came back: answers by status and code, and the records that were accepted, by write."""

    statuses: Counter[str] = field(default_factory=Counter)
    accepted: dict[str, int] = field(default_factory=dict)
    unsure: int = 0
    asked: int = 0
    warm: float = 0.0


class Subject:
    """The application under test, and what it holds."""

    def __init__(self, app: App, inflight: Inflight) -> None:
        self._app = app
        self.inflight = inflight

    async def ask(self, made: Made) -> tuple[int, dict[bytes, bytes], bytes] | None:
        """Return status, headers and body, or None for a caller that left."""
        coming = [{"type": "http.request", "body": piece, "more_body": True} for piece in made.body]
        coming[-1]["more_body"] = False
        if made.leaves:
            coming[-1] = {"type": "http.disconnect"}
        said: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            await asyncio.sleep(0)
            return coming.pop(0) if coming else {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            said.append(message)

        scope = {"type": "http", "http_version": "1.1", "method": made.method, "path": made.path, "state": {}}
        scope |= {"raw_path": made.path.encode(), "query_string": made.query, "headers": list(made.headers)}
        scope |= {"scheme": "http", "root_path": "", "server": ("here", 80), "client": ("there", 1)}
        async with asyncio.timeout(LONGEST):
            await self._app(scope, receive, send)
        if not said:
            assert made.leaves, "a caller that is there is answered"
            return None
        return said[0]["status"], dict(said[0]["headers"]), b"".join(one.get("body", b"") for one in said[1:])


def judge(made: Made, answer: tuple[int, dict[bytes, bytes], bytes] | None, tally: Tally) -> None:
    """Check an answer, and count it. Raises: AssertionError."""
    tally.asked += 1
    if answer is None:
        tally.statuses["left"] += 1
        return
    status, headers, body = answer
    told = json.loads(body)
    if status < 300:
        assert status in (200, 202, 207), answer
        assert told.keys() >= SUCCESS, answer
        assert status != 207 or told["errors"], answer
        tally.statuses[str(status)] += 1
        if "writeId" in told and Params(made.query).flag("persist", True):
            tally.accepted[told["writeId"]] = told["accepted"]
        return
    assert headers[b"content-type"] == b"application/problem+json", answer
    assert told["code"] in CATALOGUE and told["status"] == status, answer
    assert told["code"] != "internal", answer
    assert status < 500 or status in (503, 504), answer
    assert status not in (429, 503, 504) or told["code"] in LATE, answer
    if status in (429, 503):
        assert int(headers[b"retry-after"]) >= 1
    tally.unsure += status in (503, 504)
    tally.statuses[f"{status} {told['code']}"] += 1


async def run(examples: int, data: Path) -> Tally:
    """Send about so many requests. Raises: AssertionError, with the smallest request that breaks a law."""
    kept: list[Any] = []

    def building(*parts: Any) -> App:
        kept.append(Subject(build(*parts), parts[1].inflight))
        return kept[0]._app  # type: ignore[no-any-return]

    with patch.object(front, "build", building):
        async with running_broker(data, log_format="json") as client:
            subject, tally = kept[0], Tally()
            await client.post("/v1/write/w0/d0", json=[{"n": 1, "t": "a"}])
            before = _held()
            await asyncio.to_thread(
                _drive, subject, tally, client.token, examples, asyncio.get_running_loop()
            )
            assert tally.unsure * FEW <= tally.asked, tally.statuses
            assert subject.inflight.total == 0, f"{subject.inflight.total} bytes are still in flight"
            await eventually(lambda: _small(before), 30.0)
            await eventually(lambda: _stored(client, tally), 60.0)
            grown = resident_bytes(os.getpid()) - tally.warm
            assert grown < GROWTH, f"memory grew by {grown / 2**20:.0f} MB"
    return tally


def _drive(
    subject: Subject, tally: Tally, token: str, examples: int, loop: asyncio.AbstractEventLoop
) -> None:
    async def together(sent: list[Made]) -> None:
        answers = await asyncio.gather(*(subject.ask(made) for made in sent))
        for made, answer in zip(sent, answers, strict=True):
            judge(made, answer, tally)
        assert subject.inflight.total == 0 or any(made.leaves for made in sent)

    while tally.asked < examples:
        rounds = min(ROUNDS, max(1, (examples - tally.asked) // SIDE**2))

        @seed(tally.asked)
        @given(
            st.lists(heads(token), min_size=SIDE, max_size=SIDE),
            st.lists(bodies, min_size=SIDE, max_size=SIDE),
        )
        @settings(
            max_examples=rounds,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        def drive(some: list[Head], others: list[Body]) -> None:
            sent = [joined(head, body) for head in some for body in others]
            asyncio.run_coroutine_threadsafe(together(sent), loop).result(2 * LONGEST)

        drive()
        gc.collect()
        if not tally.warm and tally.asked >= WARM * examples:
            tally.warm = resident_bytes(os.getpid())


def _held() -> tuple[int, int]:
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))


def _small(before: tuple[int, int]) -> bool:
    tasks, files = _held()
    return tasks <= before[0] + 2 and files <= before[1] + 8


async def _stored(client: Any, tally: Tally) -> bool:
    lines = (await client.get("/metrics")).body.decode().splitlines()
    names = ("sluice_records_stored_total", "sluice_records_quarantined_total")
    stored = sum(float(line.split()[-1]) for line in lines if line.startswith(names)) - 1
    told = sum(tally.accepted.values())
    assert stored == told or (tally.unsure and stored >= told), f"{told} accepted, {stored:g} stored"
    return True
