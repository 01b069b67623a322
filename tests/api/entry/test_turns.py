import asyncio

from api.entry.turns import LARGE, Turns


async def test_a_small_body_does_not_wait_for_large_ones() -> None:
    turns = Turns()
    large = [asyncio.create_task(turns.wait("w", LARGE)) for _ in range(10)]
    await asyncio.sleep(0)
    await turns.wait("w", LARGE - 1)
    assert not any(one.done() for one in large)
    await asyncio.gather(*large)


async def test_one_large_body_passes_a_turn_of_the_loop_and_workspaces_alternate() -> None:
    turns, passed = Turns(), list[str]()
    beats: list[int] = []

    async def one(workspace: str) -> None:
        await turns.wait(workspace, LARGE)
        passed.append(workspace)
        beats.append(beat)

    tasks = [asyncio.create_task(one(w)) for w in ("heavy", "heavy", "heavy", "HEAVY", "light")]
    beat = 0
    while len(passed) < 5:
        beat += 1
        await asyncio.sleep(0)
    assert passed == ["heavy", "light", "heavy", "heavy", "HEAVY"]
    assert len(set(beats)) == 5
    await asyncio.gather(*tasks)


async def test_who_gave_up_holds_up_nobody() -> None:
    turns = Turns()
    first, second = (asyncio.create_task(turns.wait("w", LARGE)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait_for(second, 5)
    await asyncio.wait_for(turns.wait("w", LARGE), 5)
