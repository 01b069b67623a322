"""SIGKILL between storing and alerting, and between alerting and delivering: each alert once by its id."""

import asyncio

from tests.crash.books import owed, raised, settled, stored_once
from tests.crash.load import KEYED, PLAIN, loading
from tests.stage.collector import Collector
from tests.stage.lock import run
from tests.stage.patience import eventually
from tests.stage.process import Broker

PRIVATE = {"SLUICE_ALLOW_PRIVATE_TARGETS": "true"}
HOLD = "CREATE TRIGGER held BEFORE INSERT ON alert BEGIN SELECT RAISE(ABORT, 'held'); END"


async def test_what_was_stored_and_not_judged_or_not_delivered_comes_once_after_a_kill() -> None:
    with Collector() as receiver, Broker(PRIVATE) as broker:
        async with loading(broker, 1) as load:
            receiver.hang(1)
            await load.prepare(receiver.url)
            await eventually(
                lambda: bool(raised(broker.data)) and set(raised(broker.data)) == owed(broker.data)
            )
            await eventually(lambda: bool(receiver.received))
            run(broker.data, HOLD)
            writes = [load.write(dataset, 5, wait=True) for _ in range(30) for dataset in (PLAIN, KEYED)]
            assert all(await asyncio.gather(*writes)), "a judge that stands still holds up no write"
            stored_once(broker.data, load.account)
            assert set(raised(broker.data)) < owed(broker.data)
            async with load.session.get(f"{broker.url}/ready") as answer:
                assert (answer.status, (await answer.json())["parts"]["judge"]["ok"]) == (503, False)
            await asyncio.to_thread(broker.kill)
            receiver.release()
            run(broker.data, "DROP TRIGGER held")
            await asyncio.to_thread(broker.start)
            await settled(load)
            await eventually(lambda: set(receiver.ids()) == set(raised(broker.data)), deadline=20)
