"""How fast a worker catches up with a large backlog, against how fast it was taken."""

from typing import Final

from tests.bench.pair.backlog import catch_up, waiting
from tests.bench.pair.stand import Engines
from tests.bench.rig import PARTITIONS
from tests.bench.row import Row

NAMES: Final = tuple(f"readings{number}" for number in range(PARTITIONS))


async def measure(engines: Engines, records: int) -> list[Row]:
    """Return the row."""
    async with waiting(engines, NAMES, records) as backlog:
        caught = await catch_up(backlog, 1)
    return [
        Row(
            "catching up",
            f"a backlog of {backlog.records:,} records, one worker catches up",
            "taking them by sluice api, batches of 1,000",
            (caught.rate / backlog.rate,),
            None,
            {
                "stored/s": caught.rate,
                "taken/s": backlog.rate,
                "seconds": caught.seconds,
                "CPU µs a record": caught.cpu / caught.records * 1e6,
            },
        )
    ]
