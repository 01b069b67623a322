"""Two workers against one, on four partitions with a backlog in each."""

from typing import Final

from streams.topics import dataset_partition
from tests.bench.pair.backlog import CaughtUp, catch_up, waiting
from tests.bench.pair.stand import Engines
from tests.bench.rig import WORKSPACE
from tests.bench.row import Plan, Row, ratios

PARTITIONS: Final = 4


async def measure(plan: Plan, engines: Engines, records: int) -> list[Row]:
    """Return the row; `records` are applied by each of one and two workers, in each round."""
    one: list[CaughtUp] = []
    two: list[CaughtUp] = []
    names = on_every_partition()
    for _ in range(plan.rounds):
        for workers, found in ((1, one), (2, two)):
            async with waiting(engines, names, records, PARTITIONS) as backlog:
                found.append(await catch_up(backlog, workers))
    rates = [[caught.rate for caught in found] for found in (two, one)]
    return [
        Row(
            "workers",
            f"a backlog of {records:,} records on {PARTITIONS} partitions, two workers",
            "one worker",
            ratios(*rates),
            None,
            {
                "two: records/s": max(rates[0]),
                "one: records/s": max(rates[1]),
                "two: CPU µs a record": min(each.cpu / each.records * 1e6 for each in two),
                "one: CPU µs a record": min(each.cpu / each.records * 1e6 for each in one),
            },
            remark="Kafka, PostgreSQL and the workers share the cores",
        )
    ]


def on_every_partition() -> list[str]:
    """Return a dataset of each partition."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < PARTITIONS:
        name = f"readings{number}"
        found.setdefault(dataset_partition(WORKSPACE, name, PARTITIONS), name)
        number += 1
    return [found[partition] for partition in range(PARTITIONS)]
