"""A write cut into parts: by its records alone, so that the same write is cut alike for ever."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.lane.admitted import Admitted
from api.lane.cut import Part, Stamp, cut
from api.lane.door import Options
from rules.envelope import Record, Write
from rules.schema.dataset import Dataset
from rules.schema.declare import declare
from streams.topics import dataset_partition
from streams.wire import encode_record, join, read_envelope

MOST = 400
PARTITIONS = 8

records = st.lists(
    st.fixed_dictionaries({"id": st.integers(0, 9), "x": st.text("ab", max_size=MOST + 50)}),
    min_size=1,
    max_size=12,
)


def dataset(partition_by: list[str] | None = None, version: int = 1) -> Dataset:
    properties = {"id": {"type": "integer"}, "x": {"type": "string"}}
    body: dict[str, Any] = {
        "datasetId": "d",
        "schema": {"type": "object", "properties": properties},
        "columnMapping": {"key": "id"},
        "partitionBy": partition_by or [],
    }
    return replace(declare("w", body, 7), version=version)


def admitted(of: Dataset, sent: list[Record], indexes: list[int] | None = None) -> Admitted:
    return Admitted("d", of, sent, indexes, 0, [])


def stamp(rejected: int = 0, at: int = 1_700_000_000_000_000_000) -> Stamp:
    return Stamp("0" * 32, "w", at, Options(wait=False), rejected, True)


def read(part: Part) -> Write:
    (entry,) = read_envelope(join([part.entry])).entries
    assert isinstance(entry, Write)
    return entry


def shape(parts: list[Part]) -> list[tuple[int, int, list[Record]]]:
    """Return what must not change: partition, number and records of each part."""
    return [(part.partition, read(part).part, read(part).records) for part in parts]


@given(sent=records)
def test_parts_hold_all_records_in_their_order(sent: list[Record]) -> None:
    parts = cut([admitted(dataset(), sent)], stamp(), PARTITIONS, MOST)
    assert [record for part in parts for record in read(part).records] == sent
    assert [read(part).part for part in parts] == list(range(len(parts)))
    assert {read(part).parts for part in parts} == {len(parts)}
    assert [part.records for part in parts] == [len(read(part).records) for part in parts]
    assert {part.partition for part in parts} == {dataset_partition("w", "d", PARTITIONS)}


@given(sent=records)
def test_parts_are_as_large_as_they_may_be_or_a_single_record(sent: list[Record]) -> None:
    parts = cut([admitted(dataset(), sent)], stamp(), PARTITIONS, MOST)
    for part in parts:
        inside = sum(len(encode_record(record)) for record in read(part).records)
        assert inside <= MOST or part.records == 1


@given(sent=records)
def test_every_record_keeps_its_index_in_the_request(sent: list[Record]) -> None:
    places = [2 * i + 1 for i in range(len(sent))]
    parts = cut([admitted(dataset(), sent, places)], stamp(), PARTITIONS, MOST)
    told = [read(part).index_of(position) for part in parts for position in range(part.records)]
    assert told == places
    parts = cut([admitted(dataset(), sent)], stamp(), PARTITIONS, MOST)
    told = [read(part).index_of(position) for part in parts for position in range(part.records)]
    assert told == list(range(len(sent)))


@given(sent=records)
def test_partition_by_spreads_and_keeps_the_order_within_a_partition(sent: list[Record]) -> None:
    of = dataset(["id"])
    parts = cut([admitted(of, sent)], stamp(), PARTITIONS, MOST)
    told = sorted((read(p).index_of(i), r["id"]) for p in parts for i, r in enumerate(read(p).records))
    assert told == [(i, record["id"]) for i, record in enumerate(sent)]
    where: dict[int, int] = {}
    for part in parts:
        for record in read(part).records:
            assert where.setdefault(record["id"], part.partition) == part.partition
    for partition in {part.partition for part in parts}:
        mine = [p for p in parts if p.partition == partition]
        order = [read(p).index_of(i) for p in mine for i in range(p.records)]
        assert order == sorted(order)


@given(sent=records)
def test_rejected_records_are_counted_in_one_part(sent: list[Record]) -> None:
    parts = cut([admitted(dataset(), sent)], stamp(rejected=9), PARTITIONS, MOST)
    assert sum(read(part).rejected for part in parts) == 9


@settings(max_examples=200)
@given(sent=records, version=st.sampled_from([1, 200, 70_000]), rejected=st.sampled_from([0, 300]))
def test_the_cut_depends_on_nothing_but_the_records(sent: list[Record], version: int, rejected: int) -> None:
    first = cut([admitted(dataset(), sent)], stamp(), PARTITIONS, MOST)
    again = cut([admitted(dataset(version=version), sent)], stamp(rejected), PARTITIONS, MOST)
    assert shape(first) == shape(again)


@pytest.mark.parametrize("size", range(100, 400, 3))
def test_a_write_at_the_edge_of_a_part_is_cut_alike_under_another_version(size: int) -> None:
    sent = [{"id": 1, "x": "a" * 40}, {"id": 2, "x": "a" * size}]
    first = cut([admitted(dataset(), sent)], stamp(), PARTITIONS, MOST)
    again = cut([admitted(dataset(version=70_000), sent)], stamp(300), PARTITIONS, MOST)
    assert shape(first) == shape(again)


def test_what_nobody_accepted_makes_no_part() -> None:
    assert cut([admitted(dataset(), [])], stamp(), PARTITIONS, MOST) == []


@pytest.mark.parametrize("hour", range(4))
def test_two_spellings_of_one_instant_go_to_one_partition(hour: int) -> None:
    body: dict[str, Any] = {
        "datasetId": "d",
        "schema": {
            "type": "object",
            "properties": {"at": {"type": "string", "format": "date-time"}},
            "required": ["at"],
        },
        "columnMapping": {"key": "at"},
        "partitionBy": ["at"],
    }
    of = declare("w", body, 7)
    sent = [{"at": f"2024-01-01T1{hour}:00:00Z"}, {"at": f"2024-01-01T1{hour + 1}:00:00.000+01:00"}]
    assert len(cut([admitted(of, sent)], stamp(), PARTITIONS, MOST)) == 1
