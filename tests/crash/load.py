"""Writers that never rest, and an account of what they were told."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

from tests.stage.process import Broker

WORKSPACE = "acme"
PLAIN, KEYED = "plain", "keyed"
EVERY = 5
"""Every so many records one matches the rule."""

_GONE = (aiohttp.ClientError, TimeoutError, ConnectionError)


@dataclass
class Account:
    """Numbers of records by dataset: sent, acknowledged; and requests with a key that nobody answered."""

    sent: dict[str, set[int]] = field(default_factory=lambda: {PLAIN: set(), KEYED: set()})
    told: dict[str, set[int]] = field(default_factory=lambda: {PLAIN: set(), KEYED: set()})
    unanswered: list[tuple[str, str, list[dict[str, Any]]]] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


@dataclass
class Load:
    """Sends writes to a broker from several tasks. Numbers never come twice, over all rounds."""

    broker: Broker
    session: aiohttp.ClientSession
    chance: random.Random
    account: Account = field(default_factory=Account)
    _numbers: "count[int]" = field(default_factory=count)

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        """Send one request; raises what aiohttp raises where nobody answers."""
        async with self.session.post(self.broker.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def prepare(self, hook: str | None = None) -> None:
        """Make the datasets, the rule, and a subscription for `hook`."""
        properties = {"id": {"type": "string"}, "n": {"type": "integer"}}
        declared = {
            "datasetId": KEYED,
            "schema": {"type": "object", "properties": properties},
            "columnMapping": {"key": "id"},
        }
        assert (await self.post(f"/v1/datasets/{WORKSPACE}", {"dataset": declared}))[0] == 201
        for name in (PLAIN, KEYED):
            rule = {"id": f"fifth_{name}", "on": name, "where": f"n % {EVERY} == 0"}
            assert (await self.post(f"/v1/rules/{WORKSPACE}", rule))[0] == 201
        if hook is not None:
            subscription = {"kind": "webhook", "url": hook}
            assert (await self.post(f"/v1/subscriptions/{WORKSPACE}", subscription))[0] == 201
        for name in (PLAIN, KEYED):
            assert await self.write(name, 1, wait=True)

    async def write(self, dataset: str, size: int, *, wait: bool = False, keyed: bool = False) -> bool:
        """Send a write of `size` new records, and put down what was answered."""
        numbers = [next(self._numbers) for _ in range(size)]
        body = [self.record(dataset, n) for n in numbers]
        self.account.sent[dataset].update(numbers)
        headers = {"Idempotency-Key": f"k{numbers[0]}"} if keyed else {}
        path = f"/v1/{'write' if wait else 'record'}/{WORKSPACE}/{dataset}"
        try:
            status, _ = await self.post(path, body, **headers)
        except _GONE:
            if keyed:
                self.account.unanswered.append((path, headers["Idempotency-Key"], body))
            return False
        self.account.statuses[status] = self.account.statuses.get(status, 0) + 1
        if status in (200, 202):
            self.account.told[dataset].update(numbers)
        elif keyed and status in (503, 504):
            self.account.unanswered.append((path, headers["Idempotency-Key"], body))
        return status in (200, 202)

    def record(self, dataset: str, number: int) -> dict[str, Any]:
        return {"n": number} if dataset == PLAIN else {"id": f"r{number}", "n": number}

    async def run(self, tasks: int, keys: bool = True) -> None:
        """Write from several tasks until it is cancelled."""

        async def one() -> None:
            while True:
                answered = await self.write(
                    self.chance.choice((PLAIN, KEYED)),
                    self.chance.choice((1, 1, 3, 20)),
                    wait=self.chance.random() < 0.3,
                    keyed=keys and self.chance.random() < 0.3,
                )
                if not answered:
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(one() for _ in range(tasks)))

    async def again(self) -> None:
        """Send once more what had a key and was not answered; all of it is acknowledged then."""
        unanswered, self.account.unanswered = self.account.unanswered, []
        for path, key, body in unanswered:
            status, _ = await self.post(path, body, **{"Idempotency-Key": key})
            assert status in (200, 202), status
            self.account.told[KEYED if KEYED in path else PLAIN].update(record["n"] for record in body)


@asynccontextmanager
async def loading(broker: Broker, seed: int) -> AsyncIterator[Load]:
    """Give writers to a broker that runs."""
    timeout = aiohttp.ClientTimeout(total=20)
    headers = {"Authorization": f"Bearer {broker.token}"}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        yield Load(broker, session, random.Random(seed))
