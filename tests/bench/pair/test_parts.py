"""The parts of the bench on Kafka and PostgreSQL that can be wrong without a server."""

from itertools import islice

import msgspec

from streams.topics import dataset_partition
from tests.bench.pair.backlog import logged
from tests.bench.pair.batches import BATCH, shots
from tests.bench.pair.benthos import configuration
from tests.bench.pair.stored import FEW, fresh, key_of, replacing
from tests.bench.pair.workers import PARTITIONS, on_every_partition
from tests.bench.rig import WORKSPACE


def test_batches_go_to_all_datasets_in_turn_and_hold_what_they_say() -> None:
    made = shots(["a", "b", "c"])
    assert {shot.path.split("?")[0] for shot in made} == {f"/v1/write/{WORKSPACE}/{name}" for name in "abc"}
    assert {len(msgspec.json.decode(shot.body)) for shot in made} == {BATCH}


def test_a_backlog_is_made_of_writes_that_wait_for_the_log_only() -> None:
    made = logged(["a", "b"])
    assert {shot.path for shot in made} == {f"/v1/record/{WORKSPACE}/{name}" for name in "ab"}


def test_every_partition_has_a_dataset() -> None:
    partitions = [dataset_partition(WORKSPACE, name, PARTITIONS) for name in on_every_partition()]
    assert partitions == list(range(PARTITIONS))


def test_keys_that_replace_are_there_and_new_ones_are_not() -> None:
    there = {key_of(number) for number in range(FEW)}
    assert len(there) == FEW
    assert set(islice(replacing(1, FEW), 1_000)) <= there
    first, second = (set(islice(fresh(turn), 1_000)) for turn in (1, 2))
    assert len(first | second) == 2_000
    assert not there & (first | second)


def test_benthos_is_as_durable_as_we_are_and_batches() -> None:
    set_so = configuration(1, "/p", "kafka:9092", "t")["output"]["kafka_franz"]
    assert set_so["idempotent_write"] is True
    assert set_so["batching"]["count"] > 1
