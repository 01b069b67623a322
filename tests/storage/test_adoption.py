"""A database goes on with another log, whose places mean nothing of what stood in the one before."""

from dataclasses import replace

from sqlalchemy import Connection

from api.batch.loads import Wanted, new_job
from rules.alerting.rule import Rule
from rules.job import Definition, Job, Source, State
from storage import identity, jobs, rules
from storage.adoption import adopt
from storage.store import Store

NOW = 10**18


def with_a_log(store: Store) -> tuple[Job, Job]:
    """Keep a log, a rule, a load that runs and one that failed and holds its bytes; return the loads."""

    def body(c: Connection) -> tuple[Job, Job]:
        assert identity.log_epoch(c, "first") == 1
        rules.add_version(c, Rule("acme", "hot", 1, "d", "n > 1"))
        running, failed = (jobs.add(c, new_job(Wanted("acme", a_definition(), name), NOW)) for name in "ab")
        changed = jobs.change(c, failed, replace(failed, status=State.ERROR, ended_at=NOW), NOW)
        assert changed is not None
        return running, changed

    return store.write(body).result(10)


def a_definition() -> Definition:
    return Definition(0, [Source("d", "d", 0, [(7, 2, 10)], 20)], True, 5)


def test_its_places_get_an_epoch_of_their_own_and_rules_stay_in_force(store: Store) -> None:
    with_a_log(store)
    assert store.write(lambda c: adopt(c, "second", 2, NOW)).result(10) == 2
    assert store.read(identity.current).result(10) == "second"
    for partition in range(2):
        force = store.read(lambda c: rules.in_force(c, "second", partition)).result(10)  # noqa: B023
        assert [rule.id for rule in force] == ["hot"]


def test_loads_whose_bytes_are_in_the_other_log_end_and_can_not_be_retried(store: Store) -> None:
    running, failed = with_a_log(store)
    assert store.read(jobs.held).result(10) == {0: 7}
    store.write(lambda c: adopt(c, "second", 2, NOW + 5)).result(10)
    ended = store.read(lambda c: jobs.find(c, running.id)).result(10)
    assert ended is not None
    assert (ended.status, ended.ended_at, ended.holds) == (State.ERROR, NOW + 5, False)
    assert "another log" in ended.progress.message
    before = store.read(lambda c: jobs.find(c, failed.id)).result(10)
    assert before is not None
    assert (before.ended_at, before.holds) == (NOW, False)
    assert store.read(jobs.held).result(10) == {}


def test_a_log_that_is_in_use_already_is_left_as_it_is(store: Store) -> None:
    running, _ = with_a_log(store)
    assert store.write(lambda c: adopt(c, "first", 2, NOW)).result(10) == 1
    assert store.read(lambda c: jobs.find(c, running.id)).result(10) == replace(running, workspace="acme")
