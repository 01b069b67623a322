"""A persist worker in a process of its own: `python -m tests.engines.kafka_worker URL PREFIX DATA`.

It prints `claimed` when it has its partitions, and runs until it is killed.
"""

import asyncio
import sys
from pathlib import Path

from tests.engines.kafka_floor import kafka_floor
from tests.engines.kafka_stage import a_plan


async def main(url: str, prefix: str, data: Path) -> None:
    async with kafka_floor(data, a_plan(url, prefix=prefix)) as here:
        worker = await here.worker()
        await worker.claimed()
        print("claimed", flush=True)
        await worker.ended()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
