"""What became of each write: packed rows an envelope, own rows a part, found again by id."""

from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.ids import read_write_id, write_id
from storage.store import Store
from storage.writes import (
    COUNTER_SHIFT,
    Outcome,
    Standing,
    among,
    keep_own,
    keep_packed,
    outcomes,
    prune,
    repeated,
    totals,
)

SECRET = 77


def outcome(write: str, part: int = 0, parts: int = 1, **more: Any) -> Outcome:
    return Outcome(write, part, parts, "w", "d", 5, 3, 0, 2, 1, **more)


def minted(run: int, counter: int) -> str:
    return write_id(run, counter, SECRET, "w")


def found(store: Store, write: str) -> list[tuple[Outcome, int, int, int]]:
    numbers = read_write_id(write)
    assert numbers is not None
    return [tuple(one)[:4] for one in store.read(lambda c: outcomes(c, write, *numbers)).result(5)]  # type: ignore[misc]


def packed(store: Store, run: int, counters: list[int], place: tuple[int, int], now: int = 9) -> None:
    mine = [outcome(minted(run, counter), inserted=counter % 7) for counter in counters]
    store.write(lambda c: keep_packed(c, run, counters, mine, Standing(*place, 1), now)).result(5)


def test_a_write_of_a_packed_row_is_found_and_its_neighbours_are_not_taken_for_it(store: Store) -> None:
    packed(store, 1, [10, 12, 15], (3, 40))
    assert found(store, minted(1, 12)) == [(outcome(minted(1, 12), inserted=5), 3, 40, 9)]
    for run, counter in ((1, 11), (1, 9), (1, 16), (2, 12)):
        assert found(store, minted(run, counter)) == []


def test_a_write_over_several_envelopes_is_found_whole_in_the_order_of_its_parts(store: Store) -> None:
    write = minted(1, 10)
    for part, place in ((2, (0, 7)), (0, (5, 1)), (1, (0, 6))):
        mine = partial(
            keep_packed,
            run=1,
            counters=[10],
            outcomes=[outcome(write, part, 3)],
            place=Standing(*place, 1),
            now=9,
        )
        store.write(mine).result(5)
    assert [(one[0].part, one[1], one[2]) for one in found(store, write)] == [(0, 5, 1), (1, 0, 6), (2, 0, 7)]


def test_rows_of_its_own_and_packed_ones_are_one_write(store: Store) -> None:
    write = minted(1, 10)
    packed(store, 1, [10], (0, 1))
    store.write(lambda c: keep_own(c, outcome(write, 1, 2, quarantined=1), Standing(0, 2, 1), 9)).result(5)
    assert [one[0].part for one in found(store, write)] == [0, 1]


def test_own_rows_drop_repeats_of_their_part_only(store: Store) -> None:
    store.write(lambda c: keep_own(c, outcome("a", 1, 2), Standing(0, 2, 1), 9)).result(5)
    asked = [("a", 0), ("a", 1), ("b", 1)]
    assert store.read(lambda c: repeated(c, asked)).result(5) == {("a", 1)}
    assert store.read(lambda c: repeated(c, [])).result(5) == set()


def test_pruning_forgets_what_was_stored_before(store: Store) -> None:
    packed(store, 1, [10], (0, 1), now=10)
    packed(store, 1, [20], (0, 2), now=20)
    store.write(lambda c: keep_own(c, outcome(minted(1, 30)), Standing(0, 3, 1), 10)).result(5)
    assert store.write(lambda c: prune(c, 20)).result(5) == 2
    assert found(store, minted(1, 10)) == [] == found(store, minted(1, 30))
    assert found(store, minted(1, 20)) != []


def test_many_writes_are_looked_for_at_once_whichever_way_they_are_kept(store: Store) -> None:
    packed(store, 1, [10, 12], (0, 1))
    packed(store, 1, [11], (0, 2))
    packed(store, 2, [13, 14], (0, 3))
    store.write(lambda c: keep_own(c, outcome("redrive:7"), Standing(0, 4, 1), 9)).result(5)
    store.write(lambda c: keep_own(c, outcome(minted(1, 30), 1, 2), Standing(0, 5, 1), 9)).result(5)
    asked = [
        minted(1, 10),
        minted(1, 11),
        minted(2, 14),
        "redrive:7",
        "redrive:8",
        minted(1, 30),
        minted(1, 13),
    ]
    told = store.read(lambda c: among(c, asked)).result(5)
    assert sorted(one.id for one in told) == sorted([*asked[:4], asked[5]])


def test_totals_are_sums_over_the_parts(store: Store) -> None:
    write = minted(1, 10)
    store.write(lambda c: keep_own(c, outcome(write, 0, 2, inserted=2), Standing(0, 2, 1), 9)).result(5)
    store.write(
        lambda c: keep_own(c, outcome(write, 1, 2, replaced=1, ignored=1), Standing(1, 2, 1), 9)
    ).result(5)
    kept = store.read(lambda c: outcomes(c, write, 1, 10)).result(5)
    told = totals(kept)
    assert (told["accepted"], told["inserted"], told["replaced"], told["ignored"]) == (4, 2, 1, 1)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    envelopes=st.lists(
        st.lists(st.integers(0, 100_000 << COUNTER_SHIFT), min_size=1, max_size=5), max_size=6
    ),
    run=st.integers(1, 2**31),
)
def test_every_write_of_every_envelope_is_found_where_it_is(
    store: Store, envelopes: list[list[int]], run: int
) -> None:
    base = 1_700_000_000_000 << COUNTER_SHIFT
    seen: dict[int, int] = {}
    for offset, counters in enumerate(envelopes):
        fresh = [base + counter for counter in dict.fromkeys(counters) if base + counter not in seen]
        if fresh:
            packed(store, run, fresh, (0, offset))
            seen.update(dict.fromkeys(fresh, offset))
    for counter, offset in seen.items():
        assert [one[2] for one in found(store, minted(run, counter))] == [offset]
    asked = [*seen, base + 1, base + (50_000 << COUNTER_SHIFT)]
    told = store.read(lambda c: among(c, [minted(run, counter) for counter in asked])).result(5)
    assert sorted(one.id for one in told) == sorted(minted(run, c) for c in dict.fromkeys(asked) if c in seen)
    store.write(lambda c: prune(c, 10)).result(5)
