"""The fold against an oracle that takes one record at a time, as a careful clerk would."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rules.envelope import Handling, Record
from rules.errors import RECORD_TOO_LARGE
from rules.fold import Draft, Folded, Outcome, Present, fold

KEYS = [b"a", b"b", b"c"]
ROOM = 60

values = st.none() | st.integers(-3, 3) | st.text("xy", max_size=12)
records = st.dictionaries(st.sampled_from(["p", "q", "r"]), values, max_size=3)
stored_records = st.dictionaries(st.sampled_from(["p", "q", "r"]), values.filter(lambda v: v is not None))
drafts = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(list(Handling)), records), max_size=12
).map(
    lambda sent: [
        Draft(key, f"new{i}", 1_000 + i, how, record, i) for i, (key, how, record) in enumerate(sent)
    ]
)
present_rows = st.dictionaries(st.sampled_from(KEYS), stored_records).map(
    lambda rows: {key: Present("old" + key.decode(), 1, record) for key, record in rows.items()}
)


def size(record: Record) -> int:
    """Return the bytes of a record as compact JSON, which is what the limit is on."""
    return len(json.dumps(record, separators=(",", ":")))


def clerk(
    sent: list[Draft], present: dict[bytes, Present]
) -> tuple[dict[bytes, Present], list[tuple[Any, ...]]]:
    """Take the drafts one by one; return the table as it is then, and what became of each draft."""
    table = dict(present)
    told: list[tuple[Any, ...]] = []
    for draft in sent:
        given = {name: value for name, value in draft.record.items() if value is not None}
        there = table.get(draft.key)
        if there is None:
            table[draft.key] = Present(draft.id, draft.at, given)
            told.append((draft.place, Outcome.INSERTED, table[draft.key]))
        elif draft.handling is Handling.IGNORE:
            told.append((draft.place, Outcome.IGNORED, there))
        elif draft.handling is Handling.REPLACE:
            table[draft.key] = Present(there.id, draft.at, given)
            told.append((draft.place, Outcome.REPLACED, table[draft.key]))
        else:
            merged = {**there.record, **draft.record}
            if size(merged) > ROOM:
                told.append((draft.place, None, None))
                continue
            kept = {name: value for name, value in merged.items() if value is not None}
            table[draft.key] = Present(there.id, draft.at, kept)
            told.append((draft.place, Outcome.REPLACED, table[draft.key]))
    return table, told


def applied_to(present: dict[bytes, Present], folded: Folded) -> dict[bytes, Present]:
    """Do as the database does with a fold, and check what the database demands of it."""
    assert not folded.inserts.keys() & present.keys(), "an insert of a key that is present"
    assert folded.updates.keys() <= present.keys(), "an update of a key that is absent"
    assert not folded.inserts.keys() & folded.updates.keys()
    return {**present, **folded.inserts, **folded.updates}


@given(sent=drafts, present=present_rows)
def test_a_fold_leaves_what_one_record_after_the_other_leaves(
    sent: list[Draft], present: dict[bytes, Present]
) -> None:
    table, told = clerk(sent, present)
    folded = fold(sent, present, ROOM)
    assert applied_to(present, folded) == table
    became = {a.place: (a.outcome, Present(a.id, a.at, a.record)) for a in folded.applied}
    for place, outcome, row in told:
        if outcome is None:
            assert folded.refused[place].code is RECORD_TOO_LARGE
            assert place not in became
        else:
            assert became[place] == (outcome, row)
    assert len(became) + len(folded.refused) == len(sent)


@given(sent=drafts, present=present_rows)
def test_a_fold_names_its_drafts_in_their_order(sent: list[Draft], present: dict[bytes, Present]) -> None:
    places = [applied.place for applied in fold(sent, present, ROOM).applied]
    assert places == sorted(places)


@given(sent=drafts, present=present_rows, at=st.integers(0, 12))
def test_a_batch_cut_anywhere_leaves_the_same(
    sent: list[Draft], present: dict[bytes, Present], at: int
) -> None:
    whole = fold(sent, present, ROOM)
    first = fold(sent[:at], present, ROOM)
    between = applied_to(present, first)
    second = fold(sent[at:], between, ROOM)
    assert applied_to(between, second) == applied_to(present, whole)
    assert first.applied + second.applied == whole.applied


@given(sent=drafts, present=present_rows)
def test_a_fold_changes_nothing_it_was_given(sent: list[Draft], present: dict[bytes, Present]) -> None:
    before = [dict(draft.record) for draft in sent], {key: dict(row.record) for key, row in present.items()}
    fold(sent, present, ROOM)
    after = [dict(draft.record) for draft in sent], {key: dict(row.record) for key, row in present.items()}
    assert before == after


@given(sent=drafts, present=present_rows)
def test_stored_images_hold_no_nulls(sent: list[Draft], present: dict[bytes, Present]) -> None:
    folded = fold(sent, present, ROOM)
    rows = [*folded.inserts.values(), *folded.updates.values()]
    assert all(None not in row.record.values() for row in rows)
    assert all(None not in applied.record.values() for applied in folded.applied)
