"""SIGKILL after the log has a write and before the store has it: nothing is lost, nothing is doubled."""

import asyncio

from tests.crash.account import KEPT, KEYED, PLAIN, WIDE, WORKSPACE, Body
from tests.crash.nest import Nest
from tests.crash.rig import Rig, rigged
from tests.crash.seed import SEED
from tests.crash.table import BY_NAME
from tests.stage.lock import locked
from tests.stage.stored import stored

Writes = list[tuple[str, str, list[Body]]]
"""Dataset, client and records of each."""

TEXT = "x" * 5_000
BIG = 4_000
"""Records of 5 KB: ten times what a partition takes in one chunk."""


async def test_what_was_acknowledged_and_not_stored_is_stored_once_after_two_kills(nest: Nest) -> None:
    async with rigged(nest, f"{SEED}-storing") as rig:
        await written(rig, [(PLAIN, "first", [{"by": "first"}]), (WIDE, "first", [{"text": TEXT}])])
        with locked(rig.broker.data):
            small: Writes = [
                (PLAIN, f"small{size}x{place}", [{}] * size) for size in (1, 2, 5) for place in range(50)
            ]
            keyed = [(KEYED, f"keyed{place}", [{"id": f"k{place}"}]) for place in range(50)]
            await written(rig, [*small, *keyed])
            for start in range(0, BIG, 100):
                await written(rig, [(WIDE, f"big{start}", [{"text": TEXT}] * 100)])
            assert len(stored(rig.broker.data, WORKSPACE, PLAIN)) <= 1
            assert not stored(rig.broker.data, WORKSPACE, KEPT)
            await asyncio.to_thread(rig.broker.kill)
        middle = BY_NAME["persist.inserted"]
        rig.set_trap(middle, 4)
        rig.broker.start(wait=False)
        await rig.dead(middle)
        await rig.again()
        found = await rig.audit()
        found.right()
        assert found.stored == rig.load.account.acknowledged


async def written(rig: Rig, writes: Writes) -> None:
    """Write at once as several clients, without waiting until it is stored; all of it is acknowledged."""
    account = rig.load.account
    sent = [
        [account.send(dataset, client, dict(body)) for body in bodies] for dataset, client, bodies in writes
    ]
    paths = [f"/v1/record/{WORKSPACE}/{dataset}" for dataset, *_ in writes]
    told = [rig.load.write(path, records, key=None) for path, records in zip(paths, sent, strict=True)]
    assert all(await asyncio.gather(*told)), account.wrong[:3]
    for records in sent:
        for one in records:
            if one.dataset == KEYED:
                account.seen(KEYED, one.body["id"], one.body)
