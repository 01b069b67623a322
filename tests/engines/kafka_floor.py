"""Workers of both roles over a log on Kafka and one database, as processes that share them would have."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rules.envelope import Record
from rules.limits import Limits
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from rules.signals import SilentMeter
from storage import datasets
from storage.sqlite.engine import SqliteStore
from streams.agents.judge import Judge
from streams.agents.persist import Persist
from streams.agents.worker import Worker
from streams.catalogue import Catalogue
from streams.kafka.hold import GroupHold
from streams.kafka.log import KafkaLog, KafkaPlan
from streams.kafka.source import source_of
from streams.positions import Setting
from streams.receipts import Receipts
from streams.topics import EVENTS, WRITES
from streams.wire import encode, join
from tests.engines.kafka_stage import opened
from tests.stage.clock import Clock
from tests.stage.stored import stored
from tests.storage.database import opened as database
from tests.streams.agents.floor import a_write

SESSION = 3.0
HEARTBEAT = 0.5
KEYED = {
    "schema": {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer"}}},
    "columnMapping": {"key": "id"},
}


@dataclass
class KafkaFloor:
    """What the workers stand on."""

    data: Path
    log: KafkaLog
    store: SqliteStore
    clock: Clock
    catalogue: Catalogue
    workers: list[Worker] = field(default_factory=list)
    raised: list[set[str]] = field(default_factory=list)

    async def worker(self, role: str = "persist") -> Worker:
        """Start another worker of a role, as another process would."""
        hold = GroupHold(SESSION, HEARTBEAT)
        setting = Setting(1, hold, self.clock, Limits())
        receipts = Receipts(self.log.partitions)
        given = (self.log, self.store, self.catalogue, receipts, setting, SilentMeter())
        step = Persist(*given) if role == "persist" else Judge(*given, self.raised.append)
        topic = WRITES if role == "persist" else EVENTS
        source = source_of(self.log, role, topic, hold)
        directory = self.data / f"faust-{len(self.workers)}"
        worker = Worker(step, topic, self.log, source, lambda: True, SilentMeter(), directory)
        self.workers.append(worker)
        await worker.start()
        return worker

    async def dataset(self, name: str = "d") -> Dataset:
        """Declare a dataset in the workspace `w`."""
        made = declare("w", {"datasetId": name, **KEYED}, 0)
        kept = await self.catalogue.change(lambda c: datasets.add(c, made, self.clock()))
        assert kept is not None
        return kept

    async def written(self, dataset: Dataset, partition: int, records: Sequence[Record], **more: Any) -> int:
        """Append one envelope of one write and return its offset."""
        return await self.log.append(WRITES, partition, join([encode(a_write(dataset, records, **more))]))

    def rows(self, name: str = "d") -> list[Record]:
        """Return the records of a dataset."""
        return stored(self.data, "w", name)


@asynccontextmanager
async def kafka_floor(data: Path, plan: KafkaPlan) -> AsyncIterator[KafkaFloor]:
    """Open a log and a database, and stop what was started over them."""
    with database(data / "sluice.db") as store:
        async with opened(plan) as log:
            here = KafkaFloor(data, log, store, Clock(), Catalogue(store))
            try:
                yield here
            finally:
                await asyncio.gather(*(worker.stop() for worker in here.workers))
