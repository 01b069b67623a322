"""What a load writes, before it is logged."""

from api.batch.ingest import _by_partition
from api.lane.admitted import Admitted
from rules.schema.declare import declare


def test_a_record_keeps_its_place_in_the_source_whatever_partition_it_goes_to() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    body = {"datasetId": "d", "schema": schema, "columnMapping": {"key": "n"}, "partitionBy": ["n"]}
    places = [1_000 + 3 * number for number in range(100)]
    admitted = Admitted("d", declare("w", body, 1), [{"n": place} for place in places], places, 0, [])
    found = _by_partition(admitted, 8)
    assert len(found) > 1
    assert sorted(place for one in found.values() for place in one.places) == places
    assert all([{"n": place} for place in one.places] == one.records for one in found.values())
