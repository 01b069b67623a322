"""A broker to overload, those who do it, and what can be asked of it meanwhile."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from streams.topics import dataset_partition
from tests.overload.flood import Flood, Flooded
from tests.overload.light import Light, Served
from tests.stage.process import HOUSE, Broker

FLOODED: Final = "flooded"
LIGHT: Final = "light"
PARTITIONS: Final = 8

Told = TypeVar("Told", Flooded, Served)


class Stand:
    """A running broker, a token for each of the two workspaces, and a dataset whose table is there."""

    def __init__(self, broker: Broker, session: ClientSession) -> None:
        self.broker = broker
        self._session = session
        self._tokens: dict[str, str] = {}

    async def open(self) -> None:
        """Have the tokens and the datasets made."""
        for workspace in (FLOODED, LIGHT):
            body = {"workspace": workspace, "scopes": ["read", "write"]}
            self._tokens[workspace] = (await self.ask("POST", "/v1/tokens", body))["token"]

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return an answer as the administrator. Raises: RuntimeError, where it is no success."""
        headers = {"Authorization": f"Bearer {self.broker.token}"}
        async with self._session.request(
            method, self.broker.url + path, json=body, headers=headers
        ) as answer:
            told = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {told[:300]!r}")
            return msgspec.json.decode(told) if told else None

    def token(self, workspace: str) -> str:
        """Return the token of a workspace."""
        return self._tokens[workspace]

    async def flood(self, path: str, **more: Any) -> Flooded:
        """Flood it from another process; `more` is what `Flood` takes."""
        asked = Flood(port=self.broker.port, token=self._tokens[FLOODED], path=path, **more)
        return await _elsewhere("tests.overload.flood", asked, Flooded)

    async def light(self, dataset: str, seconds: float, rate: float = 4.0) -> Served:
        """Be the light client, in another process."""
        path = f"/v1/write/{LIGHT}/{dataset}?timeout=15"
        asked = Light(self.broker.url, self._tokens[LIGHT], path, rate, seconds)
        return await _elsewhere("tests.overload.light", asked, Served)

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        async with self._session.get(self.broker.url + "/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"sluice_{name}"))

    async def recovered(self, path: str, deadline: float = 120.0) -> float:
        """Return the seconds until it is ready and stores a write of the flooded workspace."""
        begun = time.monotonic()
        headers = {"Authorization": f"Bearer {self._tokens[FLOODED]}"}
        while time.monotonic() - begun < deadline:
            try:
                async with self._session.get(self.broker.url + "/ready") as ready:
                    well = ready.status == 200
                record = {"after": True}
                async with self._session.post(self.broker.url + path, json=record, headers=headers) as wrote:
                    if well and wrote.status == 200:
                        return time.monotonic() - begun
            except (ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.1)
        return float("inf")

    async def settled(self, deadline: float = 300.0) -> bool:
        """Wait until all that was taken is stored, and nothing waits to be; return whether it is so."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            taken, stored = (
                await self.metric("records_accepted_total"),
                await self.metric("records_stored_total"),
            )
            if taken <= stored and not await self.metric("backlog_bytes"):
                return True
            await asyncio.sleep(0.2)
        return False


@asynccontextmanager
async def standing(**settings: str) -> AsyncIterator[Stand]:
    """Run a broker on data of its own; `settings` are `SLUICE_…` in lower case."""
    env = {f"SLUICE_{name.upper()}": value for name, value in settings.items()}
    async with ClientSession(timeout=ClientTimeout(total=30)) as session:
        with Broker({"SLUICE_FREE_DISK": "1MB", **env}) as broker:
            stand = Stand(broker, session)
            await stand.open()
            yield stand


def dataset_in(workspace: str, partition: int) -> str:
    """Return the name of a dataset that lives in a partition."""
    names = (f"d{number}" for number in range(10_000))
    return next(name for name in names if dataset_partition(workspace, name, PARTITIONS) == partition)


async def _elsewhere(module: str, asked: msgspec.Struct, kind: type[Told]) -> Told:
    # into a file: of megabytes in a pipe the loop may drop the end when their process ends
    with TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            cwd=HOUSE,
            stdin=asyncio.subprocess.PIPE,
            stdout=said,
        )
        await process.communicate(msgspec.json.encode(asked))
        if process.returncode:
            raise RuntimeError(f"{module} ended with {process.returncode}.")
        said.seek(0)
        return msgspec.json.decode(said.read(), type=kind)
