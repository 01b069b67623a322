"""Clients that write, delete and change rules while the broker is killed, again and again.

Each is a loop of cycles. What has an Idempotency-Key, or is harmless twice, is sent until it is answered,
over however many starts; what has none is sent once, and not answered it may be there or not.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from tests.crash.account import WORKSPACE, Account, Body, Sent, Told
from tests.stage.process import Broker

AGAIN_EVERY: Final = 0.02
THINKS: Final = 0.03
"""Seconds between two cycles of a client, on the average."""
REMEMBERED: Final = 40

_GONE: Final = (aiohttp.ClientError, TimeoutError, ConnectionError)


class Gone(Exception):
    """Nobody answered, or nobody knows: it may have been done."""


class Load:
    """What all clients of one broker share: the connection, the account, and when to rest.

    `hurry` is what thinking times are multiplied with. `all_sure`: whatever stands under a key is sent until
    it is answered; for where a write that was not may land after what was sent behind it.
    """

    def __init__(self, broker: Broker, session: aiohttp.ClientSession, seed: str) -> None:
        self.broker = broker
        self.session = session
        self.seed = seed
        self.account = Account(seed)
        self.alive = asyncio.Event()
        self.alive.set()
        self.hurry = 1.0
        self.all_sure = False
        self.grown = 0
        self.growing = asyncio.Lock()
        self._go = asyncio.Event()
        self._parked = 0
        self._changed = asyncio.Condition()
        self._clients: list[asyncio.Task[None]] = []

    async def ask(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        """Send one request and return (status, body decoded).

        Raises: Gone. A status of 5xx but 503 and 504 is put down as wrong.
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        try:
            async with self.session.request(
                method, self.broker.url + path, json=body, headers=headers
            ) as answer:
                told = await answer.json(content_type=None) if answer.status != 204 else None
                status = answer.status
                again = answer.headers.get("Retry-After")
        except _GONE as gone:
            raise Gone from gone
        self.account.answers[status] = self.account.answers.get(status, 0) + 1
        if status >= 500 or status == 429:
            if status not in (503, 504) or (status == 503 and again is None):
                self.account.wrong.append(f"{method} {path}: {status} {told}, Retry-After {again}")
            raise Gone
        return status, told

    async def back(self) -> None:
        """Return once it is worth asking again."""
        await asyncio.sleep(AGAIN_EVERY)
        await self.alive.wait()

    async def sure(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> tuple[int, Any, bool]:
        """Send until it is answered; return also whether it was the first time."""
        first = True
        while True:
            try:
                return *(await self.ask(method, path, body, key)), first
            except Gone:
                first = False
                await self.back()

    async def write(
        self, path: str, records: Sequence[Sent], *, key: str | None, expect: Sequence[int] = (200, 202)
    ) -> bool:
        """Write records, and put down what was told; with a key until it is told."""
        body = [one.body for one in records]
        try:
            if key is None:
                status, told = await self.ask("POST", path, body)
            else:
                status, told, _ = await self.sure("POST", path, body, key)
        except Gone:
            await self.back()
            return False
        if status not in expect:
            self.account.wrong.append(f"POST {path}: {status} {told}")
            return False
        self.account.told(list(records))
        if key is not None:
            self.account.again.append(Told(path, key, body, told["writeId"]))
            del self.account.again[:-REMEMBERED]
        return True

    def begin(self, clients: Sequence["Client"]) -> None:
        """Let clients live; they rest until `work`."""
        self._clients = [asyncio.create_task(client.live(), name=client.name) for client in clients]

    def work(self, hurry: float = 1.0) -> None:
        """Let the clients go."""
        self.hurry = hurry
        self._go.set()

    async def rest(self, deadline: float = 60.0) -> None:
        """Return once every client has ended its cycle, all it was sure of answered.

        Raises: TimeoutError; and what a client failed with.
        """
        self._go.clear()
        async with asyncio.timeout(deadline), self._changed:
            await self._changed.wait_for(lambda: self._parked == len(self._clients) or self._failed())
        for client in self._clients:
            if client.done():
                client.result()

    async def turn(self) -> None:
        """Called by a client between two cycles: return when it may begin the next."""
        if self._go.is_set():
            return
        async with self._changed:
            self._parked += 1
            self._changed.notify_all()
        await self._go.wait()
        self._parked -= 1

    async def tell(self) -> None:
        """Wake who waits for the clients."""
        async with self._changed:
            self._changed.notify_all()

    async def end(self) -> None:
        """End the clients."""
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def _failed(self) -> bool:
        return any(client.done() for client in self._clients)


class Client(ABC):
    """One client. What it decides comes from the seed and its name."""

    def __init__(self, name: str, load: Load) -> None:
        self.name = name
        self.load = load
        self.account = load.account
        self.chance = random.Random(f"{load.seed}/{name}")

    async def live(self) -> None:
        """Do cycles for ever."""
        try:
            while True:
                await self.load.turn()
                await self.cycle()
                await asyncio.sleep(self.chance.expovariate(1) * THINKS * self.load.hurry)
        finally:
            await self.load.tell()

    @abstractmethod
    async def cycle(self) -> None:
        """Do one thing, to its end."""

    def sure(self, share: float) -> bool:
        """Return whether to send something until it is answered: always, or that share of the times."""
        return self.chance.random() < share or self.load.all_sure

    def key(self) -> str:
        """Return an Idempotency-Key."""
        return f"{self.name}-{self.chance.getrandbits(64):016x}"

    def path(self, dataset: str, wait: bool, **query: str) -> str:
        """Return where to write."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return f"/v1/{'write' if wait else 'record'}/{WORKSPACE}/{dataset}?{asked}"

    def send(self, dataset: str, body: Body, *, happens: bool = True) -> Sent:
        """Note a record that is about to be sent."""
        return self.account.send(dataset, self.name, body, happens=happens)


@asynccontextmanager
async def loading(broker: Broker, seed: str) -> AsyncIterator[Load]:
    """Give clients to a broker that runs."""
    timeout = aiohttp.ClientTimeout(total=60)
    headers = {"Authorization": f"Bearer {broker.token}"}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        load = Load(broker, session, seed)
        try:
            yield load
        finally:
            await load.end()
