"""How fast a worker catches up with a large backlog, against how fast it was taken."""

from time import perf_counter
from typing import Final

from tests.bench.pair.backlog import catch_up, fill, receiving
from tests.bench.pair.stand import Engines
from tests.bench.rig import PARTITIONS
from tests.bench.row import Row

NAMES: Final = tuple(f"readings{number}" for number in range(PARTITIONS))


async def measure(engines: Engines, records: int) -> list[Row]:
    """Return the row."""
    async with receiving(engines) as (door, env):
        await door.rule(NAMES[0])
        begun = perf_counter()
        taken = await fill(door, NAMES, records)
        filling = taken / (perf_counter() - begun)
        caught = await catch_up(env, 1, taken)
    return [
        Row(
            "catching up",
            f"a backlog of {taken:,} records, one worker catches up",
            "taking them, batches of 1,000",
            (caught.rate / filling,),
            None,
            {
                "stored/s": caught.rate,
                "taken/s": filling,
                "seconds": caught.seconds,
                "CPU µs a record": caught.cpu / caught.records * 1e6,
            },
        )
    ]
