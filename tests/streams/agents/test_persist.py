"""Persist over a real log and a real database: each record once, whatever is repeated, missing or broken."""

from dataclasses import replace

import pytest

from rules.envelope import EVENT, PERSIST, DatasetEnd, Delete, Handling, Redrive
from rules.errors import Halt, Later
from rules.quarantine import TooManyError
from storage import datasets, writes
from storage.offsets import Token
from streams.agents.partition import Lost, Seek
from streams.awaiting import on_loop
from streams.topics import WRITES
from streams.wire import UnreadableError
from tests.stage.lock import hold, locked, on_postgres
from tests.streams.agents.floor import Floor, a_write, driven, told


async def aside(here: Floor) -> list[tuple[str, int, str]]:
    """Return (writeId, index, code) of what was set aside."""
    return [(one.write_id, one.position, one.code) for one in await here.aside()]


async def test_records_are_stored_their_events_told_and_their_outcomes_kept(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    sent = a_write(dataset, [{"id": "a", "n": 1}, {"id": "b"}], rejected=3)
    await here.written(sent, a_write(dataset, [{"id": "a", "n": 2}]))
    await persist.apply(0, await here.messages())
    assert [(row["id"], row["n"], row["_id"]) for row in here.rows()] == [
        ("a", 1, (await told(here))[0].records[0]["_id"]),
        ("b", None, (await told(here))[0].records[1]["_id"]),
    ]
    assert [(one.offset, one.items) for one in await told(here)] == [(0, [0, 1])]
    outcomes = await on_loop(
        here.store.read(lambda c: writes.outcomes(c, sent.id, 1, int(sent.id[8:24], 16)))
    )
    (found,) = [one.outcome for one in outcomes]
    assert (found.accepted, found.inserted, found.rejected) == (2, 2, 3)
    assert here.receipts.committed(0) == 1


async def test_a_repeated_chunk_is_dropped_and_told_where_to_go_on(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": "a", "n": 1}]))
    messages = await here.messages()
    await persist.apply(0, messages)
    with pytest.raises(Seek) as seek:
        await persist.apply(0, messages)
    assert seek.value.next == 1
    assert [row["n"] for row in here.rows()] == [1]


async def test_a_gap_is_sought(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    for n in range(4):
        await here.written(a_write(dataset, [{"id": str(n)}]))
    messages = await here.messages()
    await persist.apply(0, messages[:1])
    for start in (2, 3):
        with pytest.raises(Seek) as seek:
            await persist.apply(0, messages[start:])
        assert seek.value.next == 1
    await persist.apply(0, messages[1:])
    assert [row["id"] for row in here.rows()] == ["0", "1", "2", "3"]


async def test_a_chunk_beyond_a_gap_tells_nothing(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    for n in (1, 2):
        await here.written(a_write(dataset, [{"id": "a", "n": n}]))
    messages = await here.messages()
    with pytest.raises(Seek):
        await persist.apply(0, messages[1:])
    # an event of a later origin, told before the earlier one, makes judge drop that as a repeat
    assert await told(here) == []
    await persist.apply(0, messages)
    assert [record["n"] for one in await told(here) for record in one.records] == [1]


async def test_a_chunk_of_which_a_part_was_applied_goes_on_behind_it(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    for n in range(3):
        await here.written(a_write(dataset, [{"id": str(n)}]))
    messages = await here.messages()
    await persist.apply(0, messages[:2])
    with pytest.raises(Seek) as seek:
        await persist.apply(0, messages)
    assert seek.value.next == 2
    await driven(persist, messages)
    assert [row["id"] for row in here.rows()] == ["0", "1", "2"]


async def test_a_crash_between_events_and_commit_stores_once_and_repeats_the_same_events(
    here: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": "a", "n": 1}]))
    impatient = "SET lock_timeout = '50ms'" if on_postgres(here.data) else "PRAGMA busy_timeout=50"
    await on_loop(here.store.write(lambda c: c.exec_driver_sql(impatient).close()))
    with locked(here.data), pytest.raises(Later):
        await persist.apply(0, await here.messages())
    assert here.rows() == []
    again = await here.persist()
    await again.apply(0, await here.messages())
    first, second = await told(here)
    assert first == second
    assert [row["_id"] for row in here.rows()] == [first.records[0]["_id"]]


async def test_a_higher_token_takes_over_and_the_older_holder_lets_go(here: Floor) -> None:
    dataset, old = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": "a"}]))
    new = await here.persist(Token(0, 2))
    with pytest.raises(Lost):
        await old.apply(0, await here.messages())
    assert here.rows() == []
    await new.apply(0, await here.messages())
    assert len(here.rows()) == 1
    with pytest.raises(Lost):
        await here.persist(Token(0, 1))


async def test_a_keyed_write_is_applied_once_within_a_batch_and_across(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    first = a_write(dataset, [{"id": "a", "n": 1}], Handling.REPLACE, keyed=True)
    other = a_write(dataset, [{"id": "a", "n": 2}], Handling.REPLACE)
    await here.written(first, other, first)
    await here.written(first)
    await persist.apply(0, await here.messages())
    await here.written(first)
    await persist.apply(0, await here.messages(start=2))
    assert [row["n"] for row in here.rows()] == [2]
    assert [record["n"] for one in await told(here) for record in one.records] == [1, 2]


async def test_parts_of_a_keyed_write_are_told_apart(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    write = a_write(dataset, []).id
    parts = [a_write(dataset, [{"id": str(n)}], write=write, keyed=True, part=n, parts=2) for n in (0, 1)]
    await here.written(parts[0])
    await here.written(parts[0], parts[1])
    await persist.apply(0, await here.messages())
    assert [row["id"] for row in here.rows()] == ["0", "1"]


async def test_a_delete_takes_its_place_among_the_writes(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": "a", "n": 1}, {"id": "b", "n": 1}]))
    await here.written(Delete(a_write(None, []).id, "w", "d", dataset.id, dataset.version, 1, key=["a"]))
    await here.written(a_write(dataset, [{"id": "a", "n": 3}, {"id": "b", "n": 3}]))
    await persist.apply(0, await here.messages())
    assert [(row["id"], row["n"]) for row in here.rows()] == [("a", 3), ("b", 1)]


async def test_a_delete_by_several_keys_and_a_condition_deletes_what_both_mean(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": name, "n": n} for n, name in enumerate("abcd")]))
    for where, keys in (
        ("n > 0 && size(id) == 1", [["a"], ["b"]]),
        ("gone == null", []),
        ("n <= 2.5", [["c"]]),
    ):
        entry = Delete(a_write(None, []).id, "w", "d", dataset.id, dataset.version, 1, keys=keys, where=where)
        await here.written(entry)
    await persist.apply(0, await here.messages())
    assert [row["id"] for row in here.rows()] == ["a", "d"]


async def test_a_chunk_that_failed_behind_a_delete_goes_on_there(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": "a"}]))
    await here.written(Delete(a_write(None, []).id, "w", "d", dataset.id, dataset.version, 1, key=["a"]))
    messages = await here.messages()
    await persist.apply(0, messages)
    await here.written(a_write(dataset, [{"id": "b"}]))
    await driven(persist, await here.messages())
    assert [row["id"] for row in here.rows()] == ["b"]


async def test_publish_only_writes_store_nothing_and_tell_everything(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(None, [{"any": 1, "none": None}], flags=EVENT))
    await here.written(a_write(dataset, [{"id": "a", "n": "text"}], flags=EVENT))
    await here.written(a_write(dataset, [{"id": "b"}], flags=PERSIST))
    await persist.apply(0, await here.messages())
    assert [row["id"] for row in here.rows()] == ["b"]
    events = await told(here)
    assert [(one.stored, one.dataset_id) for one in events] == [(False, 0), (False, dataset.id)]
    assert {name for name in events[0].records[0] if name[0] != "_"} == {"any"}


async def test_what_can_not_be_stored_is_set_aside_and_the_rest_is_stored(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    sent = a_write(dataset, [{"id": "a"}, {"id": "b", "n": "x"}, {"id": "c"}, {"id": "d", "unknown": 1}])
    await here.written(sent)
    await persist.apply(0, await here.messages())
    assert [row["id"] for row in here.rows()] == ["a", "c"]
    assert await aside(here) == [(sent.id, 1, "wrong_type"), (sent.id, 3, "wrong_type")]
    assert [one.items for one in await told(here)] == [[0, 2]]


async def test_what_is_set_aside_goes_by_the_name_that_its_dataset_has_now(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    new = replace(dataset, name="e", version=2)
    assert await on_loop(here.store.write(lambda c: datasets.rename(c, dataset, new)))
    await here.catalogue.renew()
    await here.written(a_write(dataset, [{"id": "a", "n": "text"}]))
    await persist.apply(0, await here.messages())
    assert [one.dataset for one in await here.aside()] == ["e"]


async def test_a_hundred_set_aside_in_a_row_stop_the_partition_with_nothing_applied(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    bad = [{"id": str(n), "n": "x"} for n in range(60)]
    await here.written(a_write(dataset, bad))
    await persist.apply(0, await here.messages())
    await here.written(a_write(dataset, bad))
    with pytest.raises(TooManyError):
        await persist.apply(0, await here.messages(start=1))
    assert len(await aside(here)) == 60
    assert here.receipts.committed(0) == 1


async def test_a_refusal_that_no_row_is_to_blame_for_stops_the_partition(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": "a"}]))
    await on_loop(here.store.write(lambda c: hold(c, "offsets")))
    with pytest.raises(Exception, match="held") as stopped:
        await persist.apply(0, await here.messages())
    assert not isinstance(stopped.value, Later), "it would be tried again for ever, with its events each time"


async def test_records_behind_a_datasets_end_are_set_aside_and_stop_nothing(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": "a"}]))
    await here.written(DatasetEnd(a_write(None, []).id, "w", "d", dataset.id, dataset.version, 1))
    await persist.apply(0, await here.messages())
    await on_loop(here.store.write(lambda c: datasets.retire(c, dataset)))
    here.catalogue.forget(dataset)
    other = await here.dataset("e")
    await here.written(a_write(dataset, [{"id": str(n)} for n in range(150)]))
    await here.written(a_write(other, [{"id": "b"}]))
    await persist.apply(0, await here.messages(start=2))
    assert {code for _, _, code in await aside(here)} == {"dataset_gone"}
    assert len(await aside(here)) == 150
    assert [row["id"] for row in here.rows("e")] == ["b"]


async def test_records_behind_a_datasets_end_are_set_aside_after_a_restart_too(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await on_loop(here.store.write(lambda c: datasets.retire(c, dataset)))
    await here.written(DatasetEnd(a_write(None, []).id, "w", "d", dataset.id, dataset.version, 1))
    await persist.apply(0, await here.messages())
    here.catalogue = type(here.catalogue)(here.store)
    fresh = await here.persist()
    await here.written(a_write(dataset, [{"id": str(n)} for n in range(150)]))
    await fresh.apply(0, await here.messages(start=1))
    assert {code for _, _, code in await aside(here)} == {"dataset_gone"}


async def test_a_redrive_stores_once_under_its_first_id_and_leaves_the_quarantine(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": "b", "n": "x"}]))
    await persist.apply(0, await here.messages())
    (kept,) = await here.aside()
    again = Redrive(
        f"redrive:{kept.id}", "w", "d", dataset.id, dataset.version, 5, kept.id, kept.record_id,
        PERSIST | EVENT, int(Handling.IGNORE), {"id": "b", "n": 1},
    )  # fmt: skip
    await here.written(again)
    await here.written(again)
    await persist.apply(0, await here.messages(start=1))
    assert [(row["id"], row["n"], row["_id"]) for row in here.rows()] == [("b", 1, kept.record_id)]
    assert await aside(here) == []
    assert len(await told(here)) == 1


async def test_a_message_that_is_none_of_ours_is_no_later(here: Floor) -> None:
    persist = await here.persist()
    await here.log.append(WRITES, 0, b"\x02nonsense")
    with pytest.raises(UnreadableError):
        await persist.apply(0, await here.messages())


async def test_a_place_the_log_can_not_have_stops_the_claim(here: Floor) -> None:
    dataset, persist = await here.dataset(), await here.persist()
    await here.written(a_write(dataset, [{"id": "a"}]))
    await persist.apply(0, await here.messages())
    beyond = "UPDATE offsets SET next = 99"
    await on_loop(here.store.write(lambda c: c.exec_driver_sql(beyond).close()))
    with pytest.raises(Halt, match="99"):
        await here.persist()
