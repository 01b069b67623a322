"""The load, the account and the books of `tests.crash`, before processes that share Kafka and PostgreSQL."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Final, cast

from tests.crash.load import Load, loading
from tests.crash.rig import CLIENTS, Rig
from tests.crash.scripts import Brief
from tests.crash_engines.field import Engines, Field, field
from tests.stage.collector import Collector
from tests.stage.patience import eventually

REACHED_WITHIN: Final = 90.0


class FieldRig(Rig):
    """A field of processes under load.

    Of those who write, nobody deletes datasets: one whose end was cut off ends after a minute only.
    """

    clients = tuple(pair for pair in CLIENTS if pair[1] is not Brief)
    settled_within = 120.0

    def __init__(self, here: Field, collector: Collector, load: Load, chance: random.Random) -> None:
        super().__init__(cast(Any, here.door), collector, load, chance)
        self.field = here

    async def until_more(self, records: int) -> float:
        """Return how many seconds it took until so many more records were acknowledged."""
        begin = perf_counter()
        before = self.load.account.acknowledged
        await eventually(lambda: self.load.account.acknowledged >= before + records, REACHED_WITHIN)
        return perf_counter() - begin


@asynccontextmanager
async def rigged(
    engines: Engines, seed: str, apis: int = 2, workers: int = 2, space: str = "pg_default"
) -> AsyncIterator[FieldRig]:
    """Run processes with everything around them, their database in this tablespace."""
    with field(engines, apis, workers, space) as here, Collector() as collector:
        async with loading(cast(Any, here.door), seed) as load:
            load.all_sure = load.account.may_be_late = True
            rig = FieldRig(here, collector, load, random.Random(seed))
            try:
                await rig.prepare()
                yield rig
            except BaseException as error:
                error.add_note(f"CRASH_SEED={seed}")
                raise
            finally:
                await rig.end()
