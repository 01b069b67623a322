"""A dataset changed with its rows: whole or not at all, once, whenever a process ends."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, inspect

from rules.envelope import Delete, Handling, Rewrite
from rules.schema.dataset import ColumnType, Dataset
from rules.schema.evolve import Additions, NewType, evolve
from storage import datasets, quarantine, rewriting, writes
from streams.awaiting import on_loop
from tests.streams.agents.floor import KEYED, Floor, a_write, driven

TEXT = {"type": ["string", "null"]}
ROWS = 50


class EndedError(Exception):
    """Stands for the end of the process."""


def patch(how: str, **properties: Any) -> str:
    schema = {"type": "object", "properties": {**KEYED["schema"]["properties"], **properties}}
    return msgspec.json.encode({"existing": how, "schema": schema}).decode()


def change(dataset: Dataset, how: str = "update", name: str = "change:1", **properties: Any) -> Rewrite:
    asked = patch(how, **(properties or {"n": TEXT, "m": {"type": "integer", "maximum": 40}}))
    return Rewrite(name, "w", dataset.name, dataset.id, dataset.version, 1, how, asked)


async def filled(here: Floor) -> Dataset:
    """Return a dataset in whose partition so many records stand, not applied yet."""
    dataset = await here.dataset()
    await here.written(a_write(dataset, [{"id": f"k{n:03d}", "n": n, "m": n} for n in range(ROWS)]))
    return dataset


async def kept(here: Floor) -> dict[str, Any]:
    """Return everything that a change leaves behind."""

    def read(c: Connection) -> dict[str, Any]:
        return {
            "outcomes": [
                (o.accepted, o.replaced, o.quarantined, o.rejected) for o in writes.among(c, ["change:1"])
            ],
            "copies": [name for name in inspect(c).get_table_names() if name.endswith("_next")],
        }

    return {
        "rows": [(row["id"], row["n"], row["m"]) for row in here.rows()],
        "aside": [(one.record["id"], one.code) for one in await here.aside()],
        **await on_loop(here.store.read(read)),
    }


async def refused(here: Floor) -> list[tuple[int, int]]:
    """Return what became of a change: rows changed, and 1 where it was refused."""
    found = await on_loop(here.store.read(lambda c: writes.among(c, ["change:1"])))
    return [(one.replaced, one.rejected) for one in found]


EXPECTED = {
    "rows": [(f"k{n:03d}", str(n), n) for n in range(ROWS)],
    "aside": [],
    "outcomes": [(ROWS, ROWS, 0, 0)],
    "copies": [],
}
CHECKED = {
    "rows": [(f"k{n:03d}", str(n), n) for n in range(41)],
    "aside": [(f"k{n:03d}", "schema_violation") for n in range(41, ROWS)],
    "outcomes": [(ROWS, 41, ROWS - 41, 0)],
    "copies": [],
}


@pytest.mark.parametrize(("how", "expected"), [("update", EXPECTED), ("reingest", CHECKED)])
async def test_rows_in_many_slices_are_changed_once_though_it_is_said_twice(
    here: Floor, monkeypatch: pytest.MonkeyPatch, how: str, expected: dict[str, Any]
) -> None:
    monkeypatch.setattr(rewriting.slice_of, "__defaults__", (7,))
    dataset = await filled(here)
    await here.written(change(dataset, how))
    await here.written(change(dataset, how))
    await (await here.persist()).apply(0, await here.messages())
    assert await kept(here) == expected
    assert (await on_loop(here.store.read(lambda c: datasets.by_id(c, dataset.id)))).version == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("passing", range(1, 13))
async def test_an_end_between_any_two_steps_leaves_what_the_next_one_finishes(
    here: Floor, monkeypatch: pytest.MonkeyPatch, passing: int
) -> None:
    monkeypatch.setattr(rewriting.slice_of, "__defaults__", (10,))
    dataset = await filled(here)
    await (await here.persist()).apply(0, await here.messages())
    await here.written(change(dataset, "reingest"))
    left = [passing]

    def dying(function: Any) -> Any:
        def called(*args: Any) -> Any:
            result = function(*args)
            left[0] -= 1
            if not left[0]:
                raise EndedError
            return result

        return called

    with monkeypatch.context() as patched:
        for name in ("begin", "put", "finish"):
            patched.setattr(rewriting, name, dying(getattr(rewriting, name)))
        patched.setattr(quarantine, "keep", dying(quarantine.keep))
        with pytest.raises(EndedError):
            await driven(await here.persist(), await here.messages(start=1))
    assert [row["n"] for row in here.rows()] == list(range(ROWS))
    await (await here.persist()).apply(0, await here.messages(start=1))
    assert await kept(here) == CHECKED


async def test_what_is_written_behind_it_under_the_old_version_is_brought_along(here: Floor) -> None:
    dataset = await filled(here)
    await here.written(change(dataset))
    merged = a_write(dataset, [{"id": "k001", "m": None}, {"id": "k002", "n": 7}], Handling.MERGE)
    await here.written(merged, a_write(dataset, [{"id": "new", "n": 5, "m": 6}]))
    await (await here.persist()).apply(0, await here.messages())
    rows = {row["id"]: (row["n"], row["m"]) for row in here.rows()}
    assert (rows["k001"], rows["k002"], rows["new"]) == (("1", None), ("7", 2), ("5", 6))


async def test_many_that_do_not_fit_any_more_are_set_aside_and_stop_nothing(here: Floor) -> None:
    dataset = await here.dataset()
    await here.written(change(dataset, "delete", n={"type": ["boolean", "null"]}))
    await here.written(a_write(dataset, [{"id": f"k{n}", "n": n + 2} for n in range(300)]))
    await here.written(a_write(dataset, [{"id": "fits", "n": 1}]))
    await (await here.persist()).apply(0, await here.messages())
    assert [(row["id"], row["n"]) for row in here.rows()] == [("fits", True)]
    found = await here.aside()
    assert ({one.code for one in found}, len(found)) == ({"schema_changed"}, 300)


async def test_a_column_that_came_meanwhile_begins_it_anew(
    here: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = await filled(here)
    await here.written(change(dataset))
    grown = evolve(dataset, Additions((NewType("later", ColumnType.STRING),)))
    original, once = rewriting.begin, [True]

    def begin(c: Connection, new: Dataset, write_id: str) -> None:
        original(c, new, write_id)
        if once:
            once.clear()
            assert datasets.replace(c, dataset, grown)

    monkeypatch.setattr(rewriting, "begin", begin)
    await (await here.persist()).apply(0, await here.messages())
    assert await kept(here) == EXPECTED
    stored = await on_loop(here.store.read(lambda c: datasets.by_id(c, dataset.id)))
    assert stored is not None
    assert (stored.version, stored.carried) == (3, 3)


async def test_a_dataset_that_was_deleted_before_it_changes_nothing(here: Floor) -> None:
    dataset = await filled(here)
    await here.written(change(dataset))
    await on_loop(here.store.write(lambda c: datasets.retire(c, dataset)))
    await (await here.persist()).apply(0, await here.messages())
    assert await refused(here) == [(0, 1)]


async def test_a_change_that_can_not_be_done_any_more_changes_nothing_and_says_so(here: Floor) -> None:
    dataset = await filled(here)
    await here.written(change(dataset, "update", id={"type": "array"}))
    await (await here.persist()).apply(0, await here.messages())
    assert await refused(here) == [(0, 1)]
    assert len(here.rows()) == ROWS


async def test_a_delete_on_its_way_means_the_key_and_the_time_of_its_day(here: Floor) -> None:
    dataset = await filled(here)
    asked = msgspec.json.encode({"existing": "reingest", "columnMapping": {"key": ["n", "m"]}}).decode()
    await here.written(Rewrite("change:1", "w", "d", dataset.id, 1, 1, "reingest", asked))
    old, new = {"columns": ["id"], "date": ""}, {"columns": ["n"], "date": ""}
    for number, more in enumerate((old, {"date": "gone", "end": 2**60}, new)):
        keys = {} if "end" in more else {"key": [7 if more is new else "k003"]}
        entry = Delete(a_write(None, []).id, "w", "d", dataset.id, 1, number, **keys, **more)
        await here.written(entry)
        await driven(await here.persist(), await here.messages(start=here.receipts.committed(0)))
    assert [row["n"] for row in here.rows() if row["n"] in (3, 7)] == [3]
    assert len(here.rows()) == ROWS - 1


async def test_large_rows_are_worked_on_few_at_a_time(here: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "SLICE_BYTES", 3_000)
    sizes: list[int] = []
    put = rewriting.put

    def counted(c: Connection, new: Dataset, rows: Any) -> None:
        sizes.append(len(rows))
        put(c, new, rows)

    monkeypatch.setattr(rewriting, "put", counted)
    dataset = await here.dataset()
    await here.written(a_write(dataset, [{"id": f"{n}".zfill(1_000), "n": n} for n in range(7)]))
    await here.written(change(dataset))
    await (await here.persist()).apply(0, await here.messages())
    assert (sizes, len(here.rows())) == ([3, 3, 1], 7)
