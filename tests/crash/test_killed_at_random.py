"""SIGKILL at any moment, over and over, under load: what clients were told is what is stored and alerted."""

import asyncio
import os
import random

from tests.crash.books import raised, settled
from tests.crash.load import WORKSPACE, loading
from tests.stage.collector import Collector
from tests.stage.events import streaming
from tests.stage.patience import eventually
from tests.stage.process import Broker

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "5"))
SEED = int(os.environ.get("CRASH_SEED", random.randrange(2**32)))
LONGEST = 1.0


async def test_no_moment_to_be_killed_at_loses_or_doubles_anything() -> None:
    print(f"CRASH_SEED={SEED} CRASH_ROUNDS={ROUNDS}")
    chance = random.Random(SEED)
    with Collector() as receiver, Broker({"SLUICE_ALLOW_PRIVATE_TARGETS": "true"}) as broker:
        async with loading(broker, SEED) as load:
            await load.prepare(receiver.url)
            url = f"{broker.url}/v1/alerts/{WORKSPACE}/stream"
            seen: list[str] = []
            last: str | None = None
            for _ in range(ROUNDS):
                async with streaming(url, broker.token, last or "from the beginning") as stream:
                    writing = asyncio.ensure_future(load.run(6))
                    await asyncio.sleep(chance.uniform(0.05, LONGEST))
                    await asyncio.to_thread(broker.kill)
                    writing.cancel()
                    await asyncio.gather(writing, return_exceptions=True)
                    await asyncio.wait_for(stream.ended.wait(), 10)
                seen += stream.ids
                last = seen[-1] if seen else None
                await asyncio.to_thread(broker.start)
                await load.again()
            assert not load.account.statuses.keys() - {200, 202, 503}, load.account.statuses
            async with streaming(url, broker.token, last or "from the beginning") as stream:
                await settled(load)
                due = raised(broker.data)
                await stream.until(lambda sent: len(sent) + len(seen) >= len(due), deadline=20)
                seen += stream.ids
            assert len(seen) == len(set(seen))
            assert set(seen) == set(due)
            await eventually(lambda: set(receiver.ids()) == set(due), deadline=20)
