"""Persist and judge over a real log and a real database, without the doors and without Faust."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from rules.alerting.alert import Alert
from rules.alerting.rule import Rule, read_rule
from rules.envelope import EVENT, PERSIST, Entry, Handling, Happened, Record, RuleChange, Write
from rules.ids import write_id
from rules.limits import Limits
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from rules.signals import SilentMeter
from storage import alerts, aside, datasets, rules
from storage.alerts import Wanted
from storage.offsets import Token
from storage.quarantine import Quarantined
from storage.store import Store
from streams.agents.judge import Judge
from streams.agents.partition import Seek
from streams.agents.persist import Persist
from streams.awaiting import on_loop
from streams.catalogue import Catalogue
from streams.embedded.log import EmbeddedLog
from streams.inquiry import asking
from streams.log import Message
from streams.positions import RunHold, Setting
from streams.receipts import Receipts
from streams.topics import EVENTS, WRITES
from streams.wire import encode, join, read_word
from tests.stage.clock import Clock
from tests.stage.stored import stored
from tests.storage.database import opened as database
from tests.streams.embedded.stage import opened as log_opened

SECRET = 77
KEYED = {
    "schema": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "n": {"type": "integer"}, "m": {"type": "integer"}},
    },
    "columnMapping": {"key": "id"},
    "mode": "evolve",
}
OURS = Token(0, 1)
_counters = count(1)


@dataclass
class Floor:
    """What the agents stand on; they work on partition 0 of it."""

    data: Path
    log: EmbeddedLog
    store: Store
    clock: Clock
    catalogue: Catalogue
    receipts: Receipts
    raised: list[set[str]] = field(default_factory=list)

    def setting(self, token: Token = OURS) -> Setting:
        return Setting(1, RunHold(token.generation), self.clock, Limits())

    async def persist(self, token: Token = OURS) -> Persist:
        """Return a persist that holds the partition, as after a start."""
        step = Persist(
            self.log, self.store, self.catalogue, self.receipts, self.setting(token), SilentMeter()
        )
        await step.claim(0)
        return step

    async def judge(self, token: Token = OURS) -> Judge:
        """Return a judge that holds the partition, as after a start."""
        step = Judge(
            self.log,
            self.store,
            self.catalogue,
            self.receipts,
            self.setting(token),
            SilentMeter(),
            self.raised.append,
        )
        await step.claim(0)
        return step

    async def dataset(self, name: str = "d", **body: Any) -> Dataset:
        """Declare a dataset in the workspace `w`."""
        made = declare("w", {"datasetId": name, **(body or KEYED)}, 0)
        kept = await self.catalogue.change(lambda c: datasets.add(c, made, self.clock()))
        assert kept is not None
        return kept

    async def rule(self, version: int = 1, **body: Any) -> Rule:
        """Keep a version of a rule and put its message on the partition."""
        rule = await self.kept_rule(version, **body)
        await self.announced(rule)
        return rule

    async def kept_rule(self, version: int = 1, **body: Any) -> Rule:
        """Keep a version of a rule, of which no partition has word yet."""
        rule = read_rule("w", body, version=version, now=self.clock(), limits=Limits())
        assert await on_loop(self.store.write(lambda c: rules.add_version(c, rule)))
        return rule

    async def announced(self, rule: Rule) -> None:
        """Put the message of a rule's version on the partition."""
        change = RuleChange(rule.workspace, rule.id, rule.version, rule.state, rule.to_json())
        await self.log.append(EVENTS, 0, join([encode(change)]))

    async def written(self, *entries: Entry) -> int:
        """Append one envelope and return its offset."""
        return await self.log.append(WRITES, 0, join([encode(entry) for entry in entries]))

    async def messages(self, topic: str = WRITES, start: int = 0) -> list[Message]:
        """Return everything in the partition from an offset on."""
        if start == self.log.bounds(topic, 0)[1]:
            return []
        return await self.log.fetch(topic, 0, start, 10**9)

    async def judged(self) -> list[Alert]:
        """Have a judge take everything there is, and return the alerts there are, oldest first."""
        judge = await self.judge()
        await driven(judge, await self.messages(EVENTS))
        listed = await on_loop(self.store.read(lambda c: alerts.listing(c, Wanted("w", limit=1_000))))
        return sorted(listed.alerts, key=lambda alert: alert.position)

    async def aside(self) -> list[Quarantined]:
        """Return what was set aside."""
        found = await on_loop(self.store.read(lambda c: aside.batch(c, "w", None, 0, 1_000, 10**9)))
        return found.records

    def rows(self, name: str = "d") -> list[Record]:
        """Return the records of a dataset."""
        return stored(self.data, "w", name)


async def driven(step: Persist | Judge, messages: Sequence[Message]) -> None:
    """Hand messages over as a partition's task does: where it is told to seek, it goes on there."""
    start, end = messages[0].offset if messages else 0, messages[-1].offset + 1 if messages else 0
    while start < end:
        try:
            await step.apply(0, messages[start - messages[0].offset :])
        except Seek as seek:
            start = seek.next
        else:
            return


async def told(here: Floor) -> list[Happened]:
    """Return what the events say, repeats included."""
    found = [read_word(message.payload) for message in await here.messages(EVENTS)]
    return [entry for word in found for entry in word.entries if isinstance(entry, Happened)]


def a_write(
    dataset: Dataset | None,
    records: Sequence[Record],
    handling: Handling = Handling.IGNORE,
    *,
    write: str | None = None,
    flags: int = PERSIST | EVENT,
    **more: Any,
) -> Write:
    """Return an entry as the lane makes it."""
    counter = next(_counters)
    return Write(
        write or write_id(1, counter, SECRET, "w"),
        "w",
        "d" if dataset is None else dataset.name,
        0 if dataset is None else dataset.id,
        0 if dataset is None else dataset.version,
        1_000_000 * counter,
        flags,
        int(handling),
        list(records),
        **more,
    )


@asynccontextmanager
async def floor(data: Path, partitions: int = 1) -> AsyncIterator[Floor]:
    """Open a log and a database in `data`."""
    clock = Clock()
    with database(data / "sluice.db") as store:
        async with log_opened(data / "log", partitions=partitions, clock=lambda: clock() // 1_000_000) as log:
            receipts = Receipts(partitions, asking(store, log.identity))
            yield Floor(data, log, store, clock, Catalogue(store), receipts)
