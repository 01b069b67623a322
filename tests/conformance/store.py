"""What every store must do. A store passes by a subclass of `StoreSuite` with a fixture `opened`.

`opened` is an `Opened`: it opens stores on one database, which has all tables at the test's first call.
Called again it opens another one on the same, as another process would (or, where a database serves one
process only, gives the same store); the fixture closes what a test left open.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection, func, insert, select

from rules.errors import Later
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from storage import datasets, identity, offsets, rules, tokens
from storage.identity import SECRET
from storage.offsets import NotHere, NotOurs, Place, Token
from storage.store import Store
from tests.conformance.store_feed import FeedSuite
from tests.conformance.store_records import ValuesSuite, rule_of
from tests.conformance.store_tables import TablesSuite
from tests.stage.patience import eventually_sync

DEADLINE = 30.0

Opened = Callable[[], Store]


class Undone(Exception):
    """Raised by a body after its work, so that it is undone."""


def put(name: str, c: Connection) -> str:
    c.execute(insert(SECRET).values(name=name, value=b"x"))
    return name


def names(store: Store) -> set[str]:
    query = select(SECRET.c.name)
    return set(store.read(lambda c: list(c.execute(query).scalars())).result(DEADLINE))


def at_once(*bodies: Callable[[], object]) -> list[object]:
    """Run bodies in threads of their own and return what each gave or raised."""
    gate = threading.Barrier(len(bodies))
    told: list[object] = [None] * len(bodies)

    def run(number: int, body: Callable[[], object]) -> None:
        gate.wait(DEADLINE)
        try:
            told[number] = body()
        except Exception as error:
            told[number] = error

    threads = [threading.Thread(target=run, args=(n, body)) for n, body in enumerate(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    return told


class TransactionSuite:
    """Transactions: commit, roll back, share nothing."""

    def test_what_is_committed_is_there_for_every_store(self, opened: Opened) -> None:
        one, other = opened(), opened()
        assert one.write(partial(put, "a")).result(DEADLINE) == "a"
        assert names(one) == names(other) == {"a"}

    def test_a_body_that_fails_leaves_nothing_and_gets_back_what_it_raised(self, opened: Opened) -> None:
        store = opened()

        def body(c: Connection) -> None:
            put("a", c)
            raise Undone

        futures: list[Future[object]] = [store.write(partial(put, "b")), store.write(body)]
        futures.append(store.write(partial(put, "c")))
        assert isinstance(futures[1].exception(DEADLINE), Undone)
        assert [futures[0].result(DEADLINE), futures[2].result(DEADLINE)] == ["b", "c"]
        assert names(store) == {"b", "c"}

    def test_readers_see_what_is_committed_and_nothing_else(self, opened: Opened) -> None:
        store = opened()
        begun, go_on = threading.Event(), threading.Event()

        def body(c: Connection) -> None:
            put("a", c)
            begun.set()
            assert go_on.wait(DEADLINE)

        writing = store.write(body)
        assert begun.wait(DEADLINE)
        assert names(store) == set()
        go_on.set()
        writing.result(DEADLINE)
        assert names(store) == {"a"}

    def test_a_reader_sees_one_moment(self, opened: Opened) -> None:
        store = opened()
        begun, go_on = threading.Event(), threading.Event()

        def body(c: Connection) -> list[int]:
            count = select(func.count()).select_from(SECRET)
            seen = [c.execute(count).scalar_one()]
            begun.set()
            assert go_on.wait(DEADLINE)
            return [*seen, c.execute(count).scalar_one()]

        reading = store.read(body)
        assert begun.wait(DEADLINE)
        store.write(partial(put, "a")).result(DEADLINE)
        go_on.set()
        assert reading.result(DEADLINE) == [0, 0]

    def test_a_reader_may_change_nothing(self, opened: Opened) -> None:
        store = opened()
        assert store.read(partial(put, "a")).exception(DEADLINE) is not None
        assert names(store) == set()

    def test_a_wrong_statement_is_neither_later_nor_never_and_the_store_goes_on(self, opened: Opened) -> None:
        store = opened()
        error = store.write(lambda c: c.exec_driver_sql("SELECT nothing FROM nowhere")).exception(DEADLINE)
        assert error is not None
        assert type(error).__name__ not in {"Later", "Never"}
        assert store.write(partial(put, "a")).result(DEADLINE) == "a"

    def test_a_future_that_was_cancelled_holds_up_nobody(self, opened: Opened) -> None:
        store = opened()
        futures = [store.write(partial(put, f"n{n}")) for n in range(40)]
        for future in futures[::2]:
            future.cancel()
        for future in futures[1::2]:
            future.result(DEADLINE)
        assert {f"n{n}" for n in range(1, 40, 2)} <= names(store)

    def test_close_finishes_what_was_handed_over_and_then_says_later(self, opened: Opened) -> None:
        store = opened()
        futures = [store.write(partial(put, f"n{n}")) for n in range(50)]
        store.close()
        store.close()
        assert [future.result(DEADLINE) for future in futures] == [f"n{n}" for n in range(50)]
        assert isinstance(store.write(partial(put, "a")).exception(DEADLINE), Later)
        assert isinstance(store.read(lambda c: 1).exception(DEADLINE), Later)
        assert len(names(opened())) == 50


class RaceSuite:
    """Several processes on one database: whatever they do at once is as one after the other."""

    def test_of_many_who_make_one_dataset_one_does(self, opened: Opened) -> None:
        stores = [opened() for _ in range(3)]

        def make(store: Store) -> Dataset | None:
            made = declare("w", {"datasetId": "d"}, 0)
            return store.write(lambda c: datasets.add(c, made, 1)).result(DEADLINE)

        told = at_once(*(partial(make, store) for store in stores * 2))
        assert [one for one in told if isinstance(one, Exception)] == []
        assert len([one for one in told if one is not None]) == 1
        assert len(stores[0].read(datasets.listing).result(DEADLINE)) == 1

    def test_of_many_who_make_one_version_of_a_rule_one_does(self, opened: Opened) -> None:
        stores = [opened(), opened()]
        told = at_once(
            *(
                lambda s=s: s.write(lambda c: rules.add_version(c, rule_of("r"))).result(DEADLINE)
                for s in stores
            )
        )
        assert sorted(told, key=str) == [False, True]

    def test_runs_of_lanes_that_start_at_once_are_different(self, opened: Opened) -> None:
        stores = [opened(), opened()]
        told = at_once(
            *(lambda s=s: s.write(lambda c: identity.begin_run(c, 1)).result(DEADLINE) for s in stores * 4)
        )
        assert len(set(told)) == 8

    def test_a_secret_is_one_for_all(self, opened: Opened) -> None:
        stores = [opened(), opened()]
        told = at_once(
            *(lambda s=s: s.write(lambda c: identity.secret(c, "k")).result(DEADLINE) for s in stores * 2)
        )
        assert len(set(told)) == 1

    def test_partitions_that_end_a_dataset_at_once_drop_its_table(self, opened: Opened) -> None:
        stores = [opened(), opened()]
        made = declare("w", {"datasetId": "d"}, 0)
        dataset = stores[0].write(lambda c: datasets.add(c, made, 1)).result(DEADLINE)
        assert dataset is not None
        stores[0].write(lambda c: datasets.retire(c, dataset)).result(DEADLINE)

        def end(partition: int) -> None:
            body = partial(datasets.end, dataset=dataset, partition=partition, of=8)
            stores[partition % 2].write(body).result(DEADLINE)

        assert at_once(*(partial(end, partition) for partition in range(8))) == [None] * 8
        assert stores[0].read(lambda c: datasets.by_id(c, dataset.id)).result(DEADLINE) is None

    def test_two_workers_move_a_place_without_gap_or_step_back(self, opened: Opened) -> None:
        """The older one goes on where it is until it is told that it is not its partition any more."""
        stores = [opened(), opened()]
        steps: list[tuple[int, int]] = []
        lock = threading.Lock()

        def claim(store: Store, token: Token) -> Place:
            return store.write(lambda c: offsets.claim(c, "log", "persist", 0, token, 0)).result(DEADLINE)

        def step(store: Store, place: Place, first: int) -> None:
            def body(c: Connection) -> Place:
                after = replace(offsets.lock(c, place, first), next=first + 1)
                offsets.advance(c, after)
                return after

            store.write(body).result(DEADLINE)
            with lock:
                steps.append((place.token.generation, first))

        def work(store: Store, generation: int) -> str:
            try:
                place = claim(store, Token(0, generation))
                for first in range(place.next, place.next + 60):
                    step(store, place, first)
            except NotOurs:
                return "lost"
            except NotHere:
                return "elsewhere"
            return "done"

        told = at_once(partial(work, stores[0], 1), partial(work, stores[1], 2))
        assert told[1] in ("done", "elsewhere")
        done = [first for _, first in sorted(steps, key=lambda one: one[1])]
        assert done == list(range(len(done)))
        assert claim(stores[0], Token(0, 3)).next == len(done)

    def test_of_two_claims_at_once_the_higher_token_holds(self, opened: Opened) -> None:
        stores = [opened(), opened()]
        for partition in range(10):

            def claim(number: int, partition: int = partition) -> object:
                token = Token(0, 1 + number)
                body = partial(
                    offsets.claim, log="l", role="judge", partition=partition, token=token, start=0
                )
                return stores[number].write(body).result(DEADLINE)

            at_once(partial(claim, 0), partial(claim, 1))
        held = stores[0].read(lambda c: offsets.places(c, "l")).result(DEADLINE)
        assert {place.token for place in held} == {Token(0, 2)}

    def test_what_another_process_changed_shows_in_the_revision(self, opened: Opened) -> None:
        from storage.revision import revisions

        one, other = opened(), opened()
        before = one.read(revisions).result(DEADLINE)
        other.write(lambda c: tokens.keep(c, _token(), "hash", 1)).result(DEADLINE)

        def shown() -> None:
            assert one.read(revisions).result(DEADLINE)["tokens"] == before["tokens"] + 1

        eventually_sync(shown, DEADLINE)


def _token() -> tokens.Token:
    return tokens.Token("t", frozenset({"read"}), "w", title="é \U0001f300")


class StoreSuite(TransactionSuite, RaceSuite, ValuesSuite, TablesSuite, FeedSuite):
    """Everything a store promises."""
