"""InfluxData's Python client for version 3, which writes by version 2's endpoint or by version 3's."""

from collections.abc import Iterator
from typing import Any

import pytest
from influxdb_client_3 import InfluxDBClient3, Point, WriteOptions, write_client_options

from tests.clients.broker import BATCH, BATCHES, QUOTA, TOKEN, broker, until_stored
from tests.stage.process import Broker


@pytest.fixture(scope="module")
def running() -> Iterator[Broker]:
    with broker() as made:
        yield made


def client(running: Broker, org: str, **options: Any) -> InfluxDBClient3:
    return InfluxDBClient3(host=running.url, token=TOKEN, org=org, database="b", **options)


@pytest.mark.parametrize("v2", [True, False])
def test_it_writes_and_is_told_of_a_bad_line(running: Broker, v2: bool) -> None:
    org = "three" if v2 else "default"  # version 3 has no word for it
    options = write_client_options(write_options=WriteOptions(write_type=_synchronous(), use_v2_api=v2))
    with client(running, org, write_client_options=options) as api:
        api.write(Point(f"m{v2}").tag("t", "a").field("v", 1.5).time(1))
        with pytest.raises(Exception, match="partial write"):
            api.write(f"m{v2} v=2 2\nbad")
    until_stored(running, org, f"b__m{v2}", [1.5, 2.0])


def test_its_batches_lose_nothing_at_429() -> None:
    failed: list[Any] = []
    retried: list[Any] = []
    options = write_client_options(
        write_options=WriteOptions(batch_size=BATCH, flush_interval=200, retry_interval=500),
        error_callback=lambda *told: failed.append(told),
        retry_callback=lambda *told: retried.append(told),
    )
    with broker(**QUOTA) as running:
        with client(running, "w", write_client_options=options) as api:
            for n in range(BATCH * BATCHES):
                api.write(f"m v={n} {n}")
        until_stored(running, "w", "b__m", [float(n) for n in range(BATCH * BATCHES)])
    assert retried and not failed


def _synchronous() -> Any:
    from influxdb_client_3.write_client.client.write_api import WriteType

    return WriteType.synchronous
