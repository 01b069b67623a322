"""Merges whose result is too large: set aside each, and however many there are the partition goes on."""

from dataclasses import replace

from rules.envelope import Handling
from rules.limits import Limits
from rules.signals import SilentMeter
from streams.agents.persist import Persist
from tests.streams.agents.floor import Floor, a_write, told

SCHEMA = {
    "schema": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "a": {"type": "string"}, "b": {"type": "string"}},
    },
    "columnMapping": {"key": "id"},
    "mode": "evolve",
}


async def small(here: Floor) -> Persist:
    """Return a persist that takes records of 1,000 bytes at most."""
    setting = replace(here.setting(), limits=Limits(record_bytes=1_000))
    step = Persist(here.log, here.store, here.catalogue, here.receipts, setting, SilentMeter())
    await step.claim(0)
    return step


async def test_a_merge_that_grows_too_large_is_set_aside_and_the_row_stays_as_it_was(here: Floor) -> None:
    dataset, persist = await here.dataset(**SCHEMA), await small(here)
    merge = Handling.MERGE
    await here.written(
        a_write(dataset, [{"id": "k", "a": "x" * 600}]),
        a_write(dataset, [{"id": "k", "b": "y" * 600}, {"id": "k", "b": "small"}], merge),
    )
    await persist.apply(0, await here.messages())
    (row,) = here.rows()
    assert (row["a"], row["b"]) == ("x" * 600, "small")
    (aside,) = await here.aside()
    assert (aside.code, aside.position, aside.record) == ("record_too_large", 0, {"id": "k", "b": "y" * 600})
    assert [record.get("b") for one in await told(here) for record in one.records] == [None, "small"]


async def test_hundreds_of_merges_that_grow_too_large_do_not_stop_a_partition(here: Floor) -> None:
    dataset, persist = await here.dataset(**SCHEMA), await small(here)
    await here.written(a_write(dataset, [{"id": "k", "a": "x" * 600}]))
    for _ in range(4):
        await here.written(a_write(dataset, [{"id": "k", "b": "y" * 600}] * 100, Handling.MERGE))
    await here.written(a_write(dataset, [{"id": "after"}]))
    await persist.apply(0, await here.messages())
    assert sorted(row["id"] for row in here.rows()) == ["after", "k"]
    assert len(await here.aside()) == 400
