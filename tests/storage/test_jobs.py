"""Jobs as they are kept: changed by whoever knows them as they are, listed, held, forgotten."""

from dataclasses import replace
from functools import partial

import msgspec
import pytest

from api.batch.loads import Wanted, new_job
from rules.job import ENDED, TITLE, Definition, Invalid, Job, Line, Source, State, may_follow, said
from storage import jobs
from storage.store import Store

NOW = 10**18


def kept(store: Store, workspace: str = "Acme", partition: int = 0, first: int = 0, title: str = "d") -> Job:
    definition = Definition(partition, [Source("d", "d", 0, [(first, 2, 10)], 20)], True, 5)
    job = new_job(Wanted(workspace, definition, title), NOW)
    return store.write(lambda c: jobs.add(c, job)).result(5)


def changed(store: Store, old: Job, **to: object) -> Job | None:
    new = replace(old, **to)  # type: ignore[arg-type]
    return store.write(lambda c: jobs.change(c, old, new, NOW)).result(5)


def found(store: Store, job: Job) -> Job | None:
    return store.read(lambda c: jobs.find(c, job.id)).result(5)


def sentences(store: Store, job: Job) -> int:
    return store.read(lambda c: jobs.count_invalid(c, job)).result(5)


def test_a_job_comes_back_as_it_was_kept(store: Store) -> None:
    job = kept(store)
    assert found(store, job) == replace(job, workspace="acme")
    assert store.read(lambda c: jobs.find(c, job.id, "ACME")).result(5) is not None
    assert store.read(lambda c: jobs.find(c, job.id, "other")).result(5) is None


def test_who_was_overtaken_changes_nothing(store: Store) -> None:
    job = kept(store)
    first = changed(store, job, status=State.CANCELLED)
    assert first is not None and first.version == job.version + 1
    assert changed(store, job, status=State.INGESTED) is None
    now = found(store, job)
    assert now is not None and now.status is State.CANCELLED


def test_jobs_that_have_not_ended_wait_in_their_order(store: Store) -> None:
    one, two, three = (kept(store) for _ in range(3))
    changed(store, two, status=State.ERROR, ended_at=NOW)
    assert [job.id for job in store.read(lambda c: jobs.waiting(c, 10)).result(5)] == [one.id, three.id]
    assert store.read(jobs.count_open).result(5) == 2


def test_the_next_ones_are_the_first_of_each_title_however_many_wait_behind_them(store: Store) -> None:
    def next_ones() -> list[str]:
        return [job.id for job in store.read(lambda c: jobs.next_ones(c, 10)).result(5)]

    first, second, *_ = (kept(store) for _ in range(20))
    other, elsewhere = kept(store, title="e"), kept(store, "other")
    assert next_ones() == [first.id, other.id, elsewhere.id]
    changed(store, first, status=State.ERROR, ended_at=NOW)
    assert next_ones() == [second.id, other.id, elsewhere.id]
    # of titles that were cut nobody knows whether they are of the same datasets
    cut = [kept(store, title="x" * TITLE).id for _ in range(2)]
    assert next_ones() == [second.id, other.id, elsewhere.id, *cut]


def test_jobs_that_have_not_ended_are_counted_by_workspace(store: Store) -> None:
    for workspace in ("Acme", "acme", "other"):
        kept(store, workspace)
    assert store.read(jobs.count_open).result(5) == 3
    assert store.read(lambda c: jobs.count_open(c, "ACME")).result(5) == 2


def test_a_job_is_taken_over_only_where_its_owner_is_gone(store: Store) -> None:
    job = kept(store)
    mine = changed(store, job, owner=7)
    assert mine is not None

    def free(now: int) -> bool:
        return store.read(lambda c: jobs.unclaimed(c, job, now)).result(5)

    assert not free(NOW + jobs.LEASE)
    assert free(NOW + jobs.LEASE + 1)
    store.write(jobs.release_all).result(5)
    assert free(NOW)
    assert changed(store, mine, status=State.VALIDATED) is None


def test_the_first_offset_that_a_job_needs_is_held_in_each_partition(store: Store) -> None:
    kept(store, partition=0, first=7)
    early = kept(store, partition=0, first=3)
    kept(store, partition=2, first=9)
    assert store.read(jobs.held).result(5) == {0: 3, 2: 9}
    done = changed(store, early, status=State.ERROR, ended_at=NOW)
    assert store.write(lambda c: jobs.drop_bytes(c, NOW)).result(5) == 0
    assert store.write(lambda c: jobs.drop_bytes(c, NOW + 1)).result(5) == 1
    assert store.read(jobs.held).result(5) == {0: 7, 2: 9}
    assert done is not None and changed(store, done, holds=True) is None


def test_sentences_about_records_are_kept_once_and_forgotten_with_their_job(store: Store) -> None:
    job = kept(store)
    rows = [Invalid(0, n, n + 2, "/a", "wrong_type", "no") for n in (5, 1)]
    for _ in range(2):
        store.write(lambda c: jobs.keep_invalid(c, job, rows)).result(5)
    assert store.read(lambda c: jobs.invalid(c, job, 10)).result(5) == rows[::-1]
    changed(store, job, status=State.ERROR, ended_at=NOW)
    assert store.write(lambda c: jobs.prune(c, NOW)).result(5) == 0
    assert store.write(lambda c: jobs.prune(c, NOW + 1)).result(5) == 3, "two sentences and the job"
    assert store.read(lambda c: jobs.count_invalid(c, job)).result(5) == 0
    assert found(store, job) is None


def test_what_is_long_past_is_forgotten_in_steps_and_a_job_with_the_last_of_its_sentences(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "STEP", 10)
    old, young = [kept(store) for _ in range(3)], kept(store)
    for job, count in zip((*old, young), (25, 0, 10, 3), strict=True):
        rows = [Invalid(n // 10, n % 10 // 2, 1, "/a", "wrong_type", "no", n % 2) for n in range(count)]
        store.write(partial(jobs.keep_invalid, job=job, rows=rows)).result(5)
        changed(store, job, status=State.ERROR, ended_at=NOW if job is not young else NOW + 1)
    sizes = [sentences(store, job) for job in (*old, young)]
    assert sizes[0] > 2 * 10
    went = []
    while step := store.write(lambda c: jobs.prune(c, NOW + 1)).result(5):
        went.append(step)
        assert all(found(store, job) for job in old if sentences(store, job))
    assert max(went) <= 10
    assert sum(went) == sum(sizes[:3]) + 3
    assert [found(store, job) is None for job in (*old, young)] == [True, True, True, False]
    assert sentences(store, young) == sizes[3]


def test_sentences_are_read_on_from_any_of_them(store: Store) -> None:
    job = kept(store)
    rows = [Invalid(n // 6, n // 2, n, "", "wrong_type", "no", n % 2) for n in range(12)]
    store.write(lambda c: jobs.keep_invalid(c, job, rows)).result(5)
    for place, after in enumerate(rows):
        found = store.read(lambda c, after=after: jobs.invalid(c, job, 4, after)).result(5)
        assert found == rows[place + 1 : place + 5]


def test_jobs_of_a_workspace_are_listed_newest_first(store: Store) -> None:
    mine = [kept(store) for _ in range(3)]
    kept(store, "other")
    assert [job.id for job in store.read(lambda c: jobs.listing(c, "ACME", None, 2)).result(5)] == [
        job.id for job in mine[:0:-1]
    ]
    below = mine[1].number
    assert [job.id for job in store.read(lambda c: jobs.listing(c, "acme", below, 9)).result(5)] == [
        mine[0].id
    ]


def test_what_has_ended_begins_only_anew() -> None:
    for ended in ENDED:
        after = {state for state in State if may_follow(state, ended)}
        assert after == (set() if ended is State.INGESTED else {State.VALIDATING})
    assert not may_follow(State.INGESTED, State.VALIDATING)


def test_a_jobs_log_is_bounded_and_keeps_its_first_line(store: Store) -> None:
    progress = msgspec.structs.replace(kept(store).progress, log=[Line(1, "info", "first")])
    for number in range(200):
        progress = said(progress, number * 10**6, "info", str(number))
    assert len(progress.log) == 50
    assert (progress.log[0].message, progress.log[-1].message) == ("first", "199")


def test_a_job_is_free_once_its_owner_was_not_heard_of_for_long_and_at_once_where_it_lets_go(
    store: Store,
) -> None:
    mine = changed(store, kept(store), owner=7)
    other = changed(store, kept(store), owner=8)
    assert mine is not None and other is not None

    def free(job: Job, now: int) -> bool:
        return store.read(lambda c: jobs.unclaimed(c, job, now)).result(5)

    store.write(lambda c: jobs.beat(c, 7, [mine.number, other.number], NOW + 5)).result(5)
    later = NOW + jobs.LEASE + 5
    assert not free(mine, later) and free(other, later), "of others it says nothing"
    assert free(mine, later + 1)
    store.write(lambda c: jobs.release(c, 7)).result(5)
    assert free(mine, NOW) and not free(other, NOW)
    assert changed(store, mine, owner=7) is None, "who let go, or was overtaken, finds the job changed"
