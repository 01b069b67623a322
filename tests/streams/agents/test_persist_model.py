"""Persist against a clerk who takes one record after the other."""

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.envelope import Handling, Happened, Record
from streams.agents.partition import Seek
from streams.agents.persist import Persist
from streams.log import Message
from streams.topics import WRITES
from tests.streams.agents.floor import KEYED, Floor, a_write, told

_names = count()

entries = st.lists(
    st.tuples(
        st.sampled_from(list(Handling)),
        st.lists(
            st.fixed_dictionaries(
                {"id": st.sampled_from("abc")},
                optional={"n": st.integers(0, 3) | st.none(), "m": st.integers(0, 3)},
            ),
            min_size=1,
            max_size=3,
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def clerk(sent: list[tuple[Handling, list[Record], bool]]) -> tuple[list[Record], list[Record]]:
    """Return the rows and the events that one record after the other leaves."""
    table: dict[str, Record] = {}
    events: list[Record] = []
    for handling, records, _ in sent:
        for record in records:
            there = table.get(record["id"])
            if there is not None and handling is Handling.IGNORE:
                continue
            new = {**there, **record} if there is not None and handling is Handling.MERGE else record
            table[record["id"]] = {name: value for name, value in new.items() if value is not None}
            events.append(table[record["id"]])
    return [table[key] for key in sorted(table)], events


def bare(record: Record) -> Record:
    return {name: value for name, value in record.items() if value is not None and name[0] != "_"}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=entries,
    chunks=st.lists(st.tuples(st.sampled_from([-2, -1, 0, 0, 0]), st.integers(1, 4)), max_size=12),
)
async def test_any_writes_in_any_chunks_repeated_as_they_may_be_leave_what_a_clerk_leaves(
    here: Floor,
    sent: list[tuple[Handling, list[Record], bool]],
    chunks: list[tuple[int, int]],
) -> None:
    name = f"d{next(_names)}"
    dataset, persist = await here.dataset(name, **KEYED), await here.persist()
    first, said = here.log.bounds(WRITES, 0)[1], len(await told(here))
    for handling, records, keyed in sent:
        write = a_write(dataset, records, handling, keyed=keyed)
        await here.written(write, *([write] if keyed else []))
    messages = await here.messages(start=first)
    at = 0
    for off, length in [*chunks, *[(0, len(messages))]]:
        start = max(0, min(at + off, len(messages) - 1))
        if at < len(messages):
            at = await handed(persist, messages[start : start + length], first + at) - first
    assert at == len(messages)
    rows, events = clerk(sent)
    assert [bare(row) for row in here.rows(name)] == rows
    assert [bare(record) for record in as_judged((await told(here))[said:])] == events


def as_judged(said: list[Happened]) -> list[Record]:
    """Return the events less those that are not above the last one, as judge takes them."""
    taken: list[Record] = []
    last = (-1, -1)
    for happened in said:
        for item, record in zip(happened.items, happened.records, strict=True):
            if (happened.offset, item) > last:
                last = (happened.offset, item)
                taken.append(record)
    return taken


async def handed(persist: Persist, chunk: list[Message], at: int) -> int:
    """Hand a chunk over where persist stands at `at`, and return where it stands then."""
    try:
        await persist.apply(0, chunk)
    except Seek as seek:
        assert chunk[0].offset != at
        assert seek.next == at
        return at
    assert chunk[0].offset == at
    return chunk[-1].offset + 1
