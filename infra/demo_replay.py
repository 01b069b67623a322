"""Writes readings to a broker as a careful application would, and asks what became of them.

Every write carries an Idempotency-Key, so that one whose answer was lost is sent again without harm; 429
and 503 are waited out as long as the broker asks for.
"""

from asyncio import TaskGroup, get_running_loop, sleep
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from secrets import token_hex
from time import perf_counter
from typing import Any, Final

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
)

from infra.demo_records import Reading
from rules.schema.moments import parse_moment

BATCH: Final = 100
SINGLES_EVERY: Final = 50
"""Of so many batches one is sent record by record."""

AT_ONCE: Final = 16
ASKING: Final = 4
PATIENCE: Final = 60.0
ASK_EVERY: Final = 0.02
PAGE: Final = 1_000


class Refused(Exception):
    """The broker did not do what the demo asked of it."""


class Busy(Exception):
    """The broker asks to come again in `seconds`."""

    def __init__(self, status: int, seconds: float) -> None:
        super().__init__(f"the broker still answers {status} after {PATIENCE:g} s")
        self.seconds = seconds


class Replay:
    """One replay to one workspace of a broker.

    `sent` tells when each reading was first sent (perf_counter), `accepted` how many the broker took,
    `retried` how often it had to be asked again.
    """

    def __init__(self, session: ClientSession, url: str, token: str, workspace: str) -> None:
        self.sent: dict[str, float] = {}
        self.accepted = 0
        self.retried = 0
        self.stored_at = 0
        self.write_ids: list[str] = []
        self._session = session
        self._url = url
        self._workspace = workspace
        self._headers = {"Authorization": f"Bearer {token}"}
        self._name = token_hex(8)

    async def make(self, kind: str, body: Any) -> Any:
        """Make a rule or a subscription and return it. Raises: Refused."""
        return await self._ask("POST", f"/v1/{kind}/{self._workspace}", 201, body)

    async def drop(self, kind: str, name: str) -> None:
        """Delete a rule or a subscription. Raises: Refused."""
        await self._ask("DELETE", f"/v1/{kind}/{self._workspace}/{name}", 204)

    async def write(self, readings: Sequence[Reading], wrote: Callable[[int], object]) -> None:
        """Write all readings, several requests at once; `wrote` is told the records of each that is logged.

        Raises: ExceptionGroup of Refused, Busy, ClientConnectionError.
        """
        requests = enumerate(_requests(readings))

        async def work() -> None:
            for number, request in requests:
                await self._write(number, request)
                wrote(len(request))

        async with TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())

    async def stored(self, told: Callable[[int], object], seconds: float) -> int:
        """Return how many records of all writes are stored; `told` is told the records of each write.

        Asks until each write is stored, or `seconds` have passed; `stored_at` is then when the last was, in
        nanoseconds since 1970. Raises: as `write`.
        """
        deadline = get_running_loop().time() + seconds
        ids = reversed(self.write_ids)
        total = 0

        async def work() -> None:
            nonlocal total
            for write_id in ids:
                inserted = await self._inserted(write_id, deadline)
                total += inserted
                told(inserted)

        async with TaskGroup() as group:
            for _ in range(ASKING):
                group.create_task(work())
        return total

    async def alerts(self) -> list[dict[str, Any]]:
        """Return every alert that was raised. Raises: Refused."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            path = f"/v1/alerts/{self._workspace}?limit={PAGE}{after}"
            page = await self._ask("GET", path, 200)
            found += page["alerts"]
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"

    async def _write(self, number: int, readings: Sequence[Reading]) -> None:
        now = perf_counter()
        self.sent.update((reading.place, now) for reading in readings)
        records = [reading.record for reading in readings]
        path = f"/v1/record/{self._workspace}/{readings[0].dataset}"
        body = records[0] if len(records) == 1 else records
        told = await self._patiently(path, body, {"Idempotency-Key": f"{self._name}-{number}"})
        self.accepted += told["accepted"]
        self.write_ids.append(told["writeId"])

    async def _inserted(self, write_id: str, deadline: float) -> int:
        clock = get_running_loop().time
        while True:
            told = await self._ask("GET", f"/v1/writes/{write_id}", 200)
            if told["state"] != "logged":
                self.stored_at = max(self.stored_at, parse_moment(told["storedAt"]))
                return int(told["inserted"])
            if clock() >= deadline:
                return 0
            await sleep(ASK_EVERY)

    async def _patiently(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type((Busy, ClientConnectionError, TimeoutError)),
            wait=_as_asked,
            stop=stop_after_delay(PATIENCE),
            reraise=True,
        ):
            with attempt:
                self.retried += attempt.retry_state.attempt_number > 1
                return await self._ask("POST", path, 202, body, headers)
        raise AssertionError("the attempts end with an answer or an error")

    async def _ask(
        self, method: str, path: str, wanted: int, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        async with self._session.request(
            method,
            self._url + path,
            json=body,
            headers={**self._headers, **(headers or {})},
            timeout=ClientTimeout(total=30),
        ) as answer:
            if answer.status in (429, 503):
                raise Busy(answer.status, float(answer.headers.get("Retry-After", "0")))
            told = await answer.json(content_type=None)
            if answer.status != wanted:
                raise Refused(f"{method} {path} was answered {answer.status}: {told.get('detail', told)}")
            return told


_backoff: Final = wait_exponential_jitter(initial=0.05, max=5.0, jitter=0.05)


def _as_asked(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    return max(_backoff(state), error.seconds if isinstance(error, Busy) else 0.0)


def _requests(readings: Sequence[Reading]) -> Iterator[list[Reading]]:
    """Cut readings into what one request carries: batches of one dataset, and now and then single records."""
    number = 0
    for _, of_one in groupby(readings, key=lambda reading: reading.dataset):
        mine = list(of_one)
        for start in range(0, len(mine), BATCH):
            batch = mine[start : start + BATCH]
            number += 1
            if number % SINGLES_EVERY == 1:
                yield from ([reading] for reading in batch)
            else:
                yield batch
