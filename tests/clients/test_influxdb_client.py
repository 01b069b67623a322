"""InfluxData's Python client for version 2: synchronous, batching, gzip."""

from collections.abc import Iterator

import pytest
from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write.retry import WritesRetry
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from tests.clients.broker import BATCH, BATCHES, QUOTA, TOKEN, broker, until_stored
from tests.stage.process import Broker
from tests.stage.stored import stored


@pytest.fixture(scope="module")
def running() -> Iterator[Broker]:
    with broker() as made:
        yield made


@pytest.mark.parametrize("gzip", [False, True])
def test_it_writes_synchronously(running: Broker, gzip: bool) -> None:
    org = f"sync{gzip}"
    with InfluxDBClient(running.url, TOKEN, org=org, enable_gzip=gzip) as client:
        assert client.ping() and client.health().status == "pass"  # type: ignore[no-untyped-call]
        with client.write_api(write_options=SYNCHRONOUS) as api:
            point = Point("m").tag("t", "a b,c=d").field("v", 1.5).field("s", 'say "hi"\n\\').field("i", 7)
            api.write("b", record=point.time(1, WritePrecision.NS))
            api.write("b", record=["m,t=b v=2 2000", "m,t=c v=3 3000"], write_precision=WritePrecision.MS)
            api.write("b", record={"measurement": "m", "tags": {"t": "d"}, "fields": {"v": 4.0}, "time": 4})
    until_stored(running, org, "b__m", [1.5, 2.0, 3.0, 4.0])
    texts = [record["s"] for record in stored(running.data, org, "b__m")]
    assert 'say "hi"\n\\' in texts


def test_it_looks_for_a_bucket_before_it_writes_and_pages_through_them(running: Broker) -> None:
    with InfluxDBClient(running.url, TOKEN, org="buckets") as client:
        asked = client.buckets_api()
        assert asked.find_bucket_by_name("b0") is None
        with client.write_api(write_options=SYNCHRONOUS) as api:
            for n in range(5):
                api.write(f"b{n}", record=f"m v={n} {n}")
        found = asked.find_bucket_by_name("b3")
        assert (found.name, found.retention_rules) == ("b3", [])
        assert [bucket.name for bucket in asked.find_buckets_iter(org="buckets", limit=2)] == [
            f"b{n}" for n in range(5)
        ]


def test_it_is_told_of_a_bad_line_and_the_good_ones_are_written(running: Broker) -> None:
    with (
        InfluxDBClient(running.url, TOKEN, org="told") as client,
        client.write_api(write_options=SYNCHRONOUS) as api,
    ):
        with pytest.raises(ApiException) as told:
            api.write("b", record="m v=1 1\nbad\nm v=2 2")
        assert told.value.status == 400
        assert "partial write" in told.value.body and '"line":2' in told.value.body
        with pytest.raises(ApiException) as told:
            api.write("b", record='m v="x" 3')
        assert told.value.status == 422
    until_stored(running, "told", "b__m", [1.0, 2.0])


def test_its_batches_lose_nothing_at_429() -> None:
    with broker(**QUOTA) as running:
        met: list[str] = []
        options = WriteOptions(batch_size=BATCH, flush_interval=200, jitter_interval=0, retry_interval=500)
        with (
            InfluxDBClient(running.url, TOKEN, org="w") as client,
            client.write_api(
                write_options=options,
                retry_callback=lambda _, __, error: met.append(str(error.response.status)),
            ) as api,
        ):
            for n in range(BATCH * BATCHES):
                api.write("b", record=f"m v={n} {n}")
        until_stored(running, "w", "b__m", [float(n) for n in range(BATCH * BATCHES)])
        assert "429" in met


def test_it_waits_as_long_as_it_is_told_where_it_is_asked_to_retry() -> None:
    with broker(quota_records="10") as running:
        retries = WritesRetry(total=10, retry_interval=1, allowed_methods=["POST"])
        with (
            InfluxDBClient(running.url, TOKEN, org="w", retries=retries) as client,
            client.write_api(write_options=SYNCHRONOUS) as api,
        ):
            api.write("b", record=[f"m v={n} {n}" for n in range(30)])
            api.write("b", record="m v=99 99")
        until_stored(running, "w", "b__m", [*map(float, range(30)), 99.0])
