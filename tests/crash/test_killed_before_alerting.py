"""SIGKILL between storing and alerting, and between alerting and delivering: each alert once by its id."""

import asyncio

from tests.crash import books
from tests.crash.nest import Nest
from tests.crash.rig import rigged
from tests.crash.seed import SEED
from tests.stage.lock import run
from tests.stage.patience import eventually

HOLD = "CREATE TRIGGER held BEFORE INSERT ON alert BEGIN SELECT RAISE(ABORT, 'held'); END"


async def test_what_was_stored_and_not_judged_or_not_delivered_comes_once_after_a_kill(nest: Nest) -> None:
    async with rigged(nest, f"{SEED}-alerting") as rig:
        rig.collector.hang(1)
        rig.load.work()
        await rig.until_written(50)
        await eventually(lambda: bool(rig.collector.received), deadline=20)
        await rig.load.rest()
        run(rig.broker.data, HOLD)
        before = books.raised_ids(rig.broker.data)
        rig.load.work()
        await rig.until_written(200)
        await rig.load.rest()  # so a judge that stands still holds up no write, those that wait among them
        assert books.raised_ids(rig.broker.data) == before
        async with rig.load.session.get(f"{rig.broker.url}/ready") as answer:
            assert (answer.status, (await answer.json())["parts"]["judge"]["ok"]) == (503, False)
        await asyncio.to_thread(rig.broker.kill)
        rig.collector.release()
        run(rig.broker.data, "DROP TRIGGER held")
        await rig.again()
        found = await rig.audit()
        found.right()
        assert found.alerts > len(before)
