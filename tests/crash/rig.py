"""A broker under load that is made to die, started again and audited."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1
from time import perf_counter
from typing import Final

import aiohttp

from streams.topics import dataset_partition
from tests.crash import books
from tests.crash.account import (
    BRIEF,
    KEPT,
    KEYED,
    LOADED,
    PARTITIONS,
    PLAIN,
    RETENTION,
    SAID,
    SPREAD,
    TIGHT,
    WIDE,
    WORKSPACE,
    rule_on,
)
from tests.crash.books import Found
from tests.crash.clients import Grower, Kept, Keyed, Plain, Said
from tests.crash.load import Client, Load, loading
from tests.crash.nest import Nest, NestBroker
from tests.crash.point import Point
from tests.crash.scripts import Brief, Loader, Ruler, Spread, Tight
from tests.crash.table import BY_NAME
from tests.stage.collector import Collector
from tests.stage.events import streaming
from tests.stage.patience import eventually

HURRY: Final = 0.3
"""Of a client's thinking time, while a point is looked for: batches hold several writes then."""
REACHED_WITHIN: Final = 45.0
SETTLED_WITHIN: Final = 40.0
FROM_THE_BEGINNING: Final = "from the beginning"
SETTINGS: Final = {
    "SLUICE_PARTITIONS": str(PARTITIONS),
    "SLUICE_ALLOW_PRIVATE_TARGETS": "true",
    "SLUICE_EVENTS_KEEP": "1s",
    "SLUICE_MAX_RECORD": "100KB",
    "SLUICE_FREE_DISK": "1MB",
    "SLUICE_LOG_FORMAT": "json",
}
MARKS: Final = {
    dataset_partition(WORKSPACE, name, PARTITIONS): name for name in (f"mark{n}" for n in range(40))
}
"""A name for publish-only writes in each partition."""


CLIENTS: Final[Sequence[tuple[str, Callable[[str, Load], Client]]]] = (
    *(("plain", Plain), ("plain", Plain), ("keyed", Keyed), ("keyed", Keyed), ("said", Said), ("kept", Kept)),
    *(("grower", Grower), ("grower", Grower), ("spread", Spread), ("tight", Tight), ("brief", Brief)),
    *(("ruler", Ruler), ("loader", Loader)),
)
_CUT: Final = (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError, AssertionError)
"""How a stream ends; an AssertionError: it was answered 503, by a broker that stops."""


class Rig:
    """One broker over all its starts. Where one of its methods failed, it must not be used on.

    `clients` are who writes; in `settled_within` seconds all is done that they were told of.
    """

    clients = CLIENTS
    settled_within = SETTLED_WITHIN

    def __init__(self, broker: NestBroker, collector: Collector, load: Load, chance: random.Random) -> None:
        self.broker = broker
        self.collector = collector
        self.load = load
        self.chance = chance
        self.seen: list[str] = []
        self.kills = 0
        self._reading: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Make what the clients write to, and begin to read the alerts."""
        load = self.load
        for name, more in ((KEYED, {}), (TIGHT, {}), (SPREAD, {"partitionBy": ["id"]})):
            await self._declare(name, ("id", "n"), {"columnMapping": {"key": "id"}, **more})
        await self._declare(KEPT, ("n",), {"retention": f"{RETENTION:.0f}s"})
        for name in (PLAIN, WIDE, KEPT, KEYED, SPREAD, TIGHT, BRIEF, SAID, LOADED):
            await self._made("POST", "/v1/rules", rule_on(name, 0))
            load.account.versions[name] = 1
        for name in MARKS.values():
            await self._made("POST", "/v1/rules", {"id": f"mark_{name}", "on": name, "where": "n > 0"})
        await self._made("POST", "/v1/subscriptions", {"kind": "webhook", "url": self.collector.url})
        load.begin([make(f"{name}{place}", load) for place, (name, make) in enumerate(self.clients)])
        self._reading = asyncio.create_task(self._read(), name="reader")

    async def _declare(self, name: str, columns: Sequence[str], more: Mapping[str, object]) -> None:
        types = {"id": {"type": "string"}, "n": {"type": "integer"}}
        schema = {"type": "object", "properties": {column: types[column] for column in columns}}
        declared = {"datasetId": name, "schema": schema, "mode": "evolve", **more}
        await self._made("POST", "/v1/datasets", {"dataset": declared})

    async def _made(self, method: str, path: str, body: object) -> None:
        status, told = await self.load.ask(method, f"{path}/{WORKSPACE}", body)
        assert status == 201, (path, status, told)

    async def until_written(self, records: int) -> None:
        """Return once so many more records were acknowledged."""
        before = self.load.account.acknowledged
        await eventually(lambda: self.load.account.acknowledged >= before + records, REACHED_WITHIN)

    async def die_at(self, point: Point, passing: int) -> None:
        """Let the broker work until it dies at a point.

        Raises: AssertionError, where it does not come there in time.
        """
        self.load.work(HURRY)
        if point.needs is not None:
            await self.die_at(BY_NAME[point.needs], 1)
        elif point.reached == "starting":
            await self.until_written(200)
            if point.road == "trim":
                await eventually(lambda: self._sealed("writes") and self._sealed("events"), REACHED_WITHIN)
            await asyncio.to_thread(self.broker.kill)
            self.kills += 1
        if point.reached == "starting":
            self.set_trap(point, passing)
            self.broker.start(wait=False)
        else:
            await self.until_written(50)
            await self.arm(point, passing)
            if point.reached == "stopping":
                self.broker.send(SIGTERM)
        await self.dead(point)

    def _sealed(self, topic: str) -> bool:
        return len(list((self.broker.data / "log" / topic).glob("*.seg"))) > 3

    async def dead(self, point: Point) -> None:
        """Wait for the death at a point, and let the clients know."""
        status = await asyncio.to_thread(self.broker.wait, REACHED_WITHIN)
        self.load.alive.clear()
        sprung = self.trap.with_suffix(".sprung")
        assert status == -SIGKILL and sprung.exists(), f"it ended with {status}:\n{self.broker.logs[-4000:]}"
        assert sprung.read_text() == point.name
        sprung.unlink()
        self.trap.unlink()
        self.kills += 1

    @property
    def trap(self) -> Path:
        """The file that says where to die."""
        return self.broker.root / "trap"

    def set_trap(self, point: Point, passing: int) -> None:
        """Have the next start die at a point."""
        self.trap.write_text(f"{point.name} {passing}")

    async def arm(self, point: Point, passing: int) -> None:
        """Have the broker that runs die at a point."""
        self.set_trap(point, passing)
        self.broker.send(SIGUSR1)
        told = self.trap.with_suffix(".set")
        # it may have died there before it could be asked
        died = self.trap.with_suffix(".sprung")
        await eventually(lambda: told.read_text().startswith(point.name) or died.exists(), 20.0)

    async def again(self) -> float:
        """Start the broker after a death and return how many seconds that took."""
        begin = perf_counter()
        self.load.alive.clear()
        await asyncio.to_thread(self.broker.start)
        self.load.alive.set()
        return perf_counter() - begin

    async def audit(self) -> Found:
        """Let the clients rest and hold what the broker has done against what they were told."""
        await self.load.rest(20.0 + self.settled_within)
        await self._passed()
        found = await asyncio.to_thread(books.audit, self.broker.data, self.load.account)
        await self._delivered()
        return found

    async def _passed(self) -> None:
        """Return once every partition has stored and judged all that was written before."""
        marked = [self.load.account.send(name, "mark", {}) for name in MARKS.values()]
        for one in marked:
            del self.load.account.sent[one.number]
            path = f"/v1/write/{WORKSPACE}/{one.dataset}?persist=false"
            await self.load.sure("POST", path, [one.body], f"mark{one.number}")
        numbers = {one.number for one in marked}
        await eventually(
            lambda: numbers <= books.marked(self.broker.data, min(numbers)), self.settled_within, every=0.05
        )

        def done() -> None:
            left = books.unfinished(self.broker.data)
            assert not any(left.values()), left

        await eventually(done, self.settled_within, every=0.1)

    async def _delivered(self) -> None:
        """Check that each notification came to the webhook, and once to the stream."""
        due = books.raised_ids(self.broker.data)
        await eventually(lambda: len(self.seen) >= len(due), self.settled_within)
        assert len(self.seen) == len(set(self.seen)), "the stream told a notification twice"
        assert set(self.seen) == due
        got = {one.id: one.json["data"]["id"] for one in self.collector.received}
        assert got.keys() == due, f"{len(due - got.keys())} of {len(due)} were never delivered"
        assert all(name == alert for name, alert in got.items())

    async def _read(self) -> None:
        """Read the alerts' stream over every start, going on where it was cut."""
        url = f"{self.broker.url}/v1/alerts/{WORKSPACE}/stream"
        while True:
            with suppress(*_CUT):
                last = self.seen[-1] if self.seen else FROM_THE_BEGINNING
                async with streaming(url, self.broker.token, last) as stream:
                    taken = 0
                    while not stream.ended.is_set() or taken < len(stream.sent):
                        self.seen += stream.ids[taken:]
                        taken = len(stream.sent)
                        with suppress(TimeoutError):
                            await stream.until(lambda sent: len(sent) > taken, deadline=0.1)  # noqa: B023
            await self.load.back()

    async def end(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


@asynccontextmanager
async def rigged(nest: Nest, seed: str, first: Point | None = None) -> AsyncIterator[Rig]:
    """Start a broker with everything around it; with `first`, after it has died there at its first start."""
    broker = NestBroker(nest, {**SETTINGS, "CRASH_TRAP": ""})
    broker.env["CRASH_TRAP"] = str(broker.root / "trap")
    chance = random.Random(seed)
    try:
        if first is not None:
            (broker.root / "trap").write_text(f"{first.name} {chance.randint(1, first.most)}")
            broker.start(wait=False)
            status = await asyncio.to_thread(broker.wait, REACHED_WITHIN)
            died = broker.root / "trap.sprung"
            assert status == -SIGKILL and died.read_text() == first.name, broker.logs[-4000:]
            died.unlink()
            (broker.root / "trap").unlink()
        await asyncio.to_thread(broker.start)
        with Collector() as collector:
            async with loading(broker, seed) as load:
                rig = Rig(broker, collector, load, chance)
                rig.kills = 0 if first is None else 1
                try:
                    await rig.prepare()
                    yield rig
                finally:
                    await rig.end()
    except BaseException as error:
        error.add_note(f"CRASH_SEED={seed}; the broker's log ends with:\n{broker.logs[-6000:]}")
        raise
    finally:
        broker.close()
