"""Persist in one of several processes: what another one did to a dataset, it hears of or asks for."""

from rules.envelope import DatasetEnd
from storage import datasets
from streams.awaiting import on_loop
from streams.catalogue import Catalogue
from tests.streams.agents.floor import Floor, a_write


async def codes(here: Floor) -> list[str]:
    return [one.code for one in await here.aside()]


async def test_records_behind_the_end_of_a_dataset_that_another_process_deleted_are_set_aside(
    here: Floor,
) -> None:
    dataset = await here.dataset()
    persist = await here.persist()
    await on_loop(here.store.write(lambda c: datasets.retire(c, dataset)))  # and this one has not heard
    await here.written(DatasetEnd(a_write(None, []).id, "w", "d", dataset.id, dataset.version, 1))
    await here.written(a_write(dataset, [{"id": "late"}]))
    await persist.apply(0, await here.messages())
    assert await codes(here) == ["dataset_gone"]


async def test_who_takes_a_partition_over_behind_an_end_that_another_applied_knows_of_it(here: Floor) -> None:
    dataset = await here.dataset()
    first = await here.persist()
    there, here.catalogue = here.catalogue, Catalogue(here.store)
    await here.catalogue.renew()
    assert here.catalogue.known("w", "d") is not None
    await on_loop(here.store.write(lambda c: datasets.retire(c, dataset)))
    there.forget(dataset)
    await here.written(DatasetEnd(a_write(None, []).id, "w", "d", dataset.id, dataset.version, 1))
    await first.apply(0, await here.messages())
    second = await here.persist()
    await here.written(a_write(dataset, [{"id": "late"}]))
    await second.apply(0, await here.messages(start=1))
    assert await codes(here) == ["dataset_gone"]
