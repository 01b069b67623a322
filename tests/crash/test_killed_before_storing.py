"""SIGKILL after the log has a write and before the store has it: nothing is lost, nothing is doubled."""

import asyncio

from tests.crash.books import settled
from tests.crash.load import KEYED, PLAIN, WORKSPACE, Load, loading
from tests.stage.lock import locked
from tests.stage.process import Broker
from tests.stage.stored import stored

TEXT = "x" * 5_000
BIG = 4_000
"""Records of 5 KB: ten times what a partition takes in one chunk."""


async def test_what_was_acknowledged_and_not_stored_is_stored_once_after_two_kills() -> None:
    with Broker() as broker:
        async with loading(broker, 1) as load:
            await load.prepare()
            assert await big(load, range(100)) == 202
            with locked(broker.data):
                small = (
                    load.write(dataset, n) for n in (1, 2, 5) for _ in range(50) for dataset in (PLAIN, KEYED)
                )
                assert all(await asyncio.gather(*small))
                large = [await big(load, range(start, start + 100)) for start in range(100, BIG, 100)]
                assert set(large) == {202}
                assert len(stored(broker.data, WORKSPACE, PLAIN)) == 1
                await asyncio.to_thread(broker.kill)
            broker.start(wait=False)
            await asyncio.sleep(1.0)  # somewhere in its start: there is no signal for the middle of things
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            await settled(load)
            for dataset in (PLAIN, KEYED):
                assert len(stored(broker.data, WORKSPACE, dataset)) == len(load.account.sent[dataset])
            last = {"n": BIG, "text": TEXT}
            assert (await load.post(f"/v1/write/{WORKSPACE}/big?timeout=30", [last]))[0] == 200
            found = sorted(record["n"] for record in stored(broker.data, WORKSPACE, "big"))
            assert found == list(range(BIG + 1))


async def big(load: Load, numbers: range) -> int:
    """Write large records and return the status."""
    body = [{"n": n, "text": TEXT} for n in numbers]
    status, _ = await load.post(f"/v1/record/{WORKSPACE}/big", body)
    return status
