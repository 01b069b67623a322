"""A dataset's end in the log, and records behind it, in a process that has not heard of the end otherwise."""

from pathlib import Path

import pytest

from rules.envelope import DatasetEnd
from rules.schema.dataset import Dataset
from storage import datasets, tables
from streams.awaiting import on_loop
from streams.catalogue import Catalogue
from tests.streams.agents.floor import KEYED, a_write, floor, told

SPREAD = {**KEYED, "partitionBy": ["id"]}
UNKEYED = {"schema": KEYED["schema"], "mode": "evolve"}


def end_of(dataset: Dataset) -> DatasetEnd:
    return DatasetEnd(a_write(None, []).id, "w", "d", dataset.id, dataset.version, 1)


@pytest.mark.parametrize("declared", [KEYED, UNKEYED, SPREAD])
@pytest.mark.parametrize("chunks", ["one", "two", "two workers"])
async def test_records_behind_an_end_that_another_process_asked_for_are_set_aside(
    tmp_path: Path, declared: dict[str, object], chunks: str
) -> None:
    async with floor(tmp_path, partitions=2) as here:
        dataset = await here.dataset(**declared)
        persist = await here.persist()
        await here.written(a_write(dataset, [{"id": "a"}]))
        await persist.apply(0, await here.messages())
        await on_loop(here.store.write(lambda c: datasets.retire(c, dataset)))
        await here.written(end_of(dataset))
        if chunks != "one":
            await persist.apply(0, await here.messages(start=1))
        if chunks == "two workers":
            here.catalogue = Catalogue(here.store)
            here.catalogue.put(dataset)  # it has the partition from now on, and its catalogue is older
            persist = await here.persist()
        await here.written(a_write(dataset, [{"id": "b"}]))
        await persist.apply(0, await here.messages(start=1 if chunks == "one" else 2))
        assert {one.code for one in await here.aside()} == {"dataset_gone"}
        assert [record["id"] for one in await told(here) for record in one.records] == ["a"]


async def test_a_dataset_that_ended_elsewhere_takes_records_until_its_end_is_here(tmp_path: Path) -> None:
    async with floor(tmp_path, partitions=2) as here:
        dataset, persist = await here.dataset(**SPREAD), await here.persist()
        await on_loop(here.store.write(lambda c: datasets.retire(c, dataset)))
        await on_loop(here.store.write(lambda c: datasets.end(c, dataset, 1, 2)))
        await here.written(a_write(dataset, [{"id": "b"}]))
        await persist.apply(0, await here.messages())
        count = f"SELECT count(*) FROM {tables.table_of(dataset).name}"
        assert await on_loop(here.store.read(lambda c: c.exec_driver_sql(count).scalar())) == 1
        assert await here.aside() == []
