"""Asking brokers what a topic takes on their disks: a request that aiokafka does not have."""

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Int64, Schema, String


class DescribeLogDirsResponse_v1(Response):  # type: ignore[misc]  # noqa: N801 - the library's way of naming
    """Kafka's protocol, key 35, version 1: sizes in bytes by log directory, topic and partition."""

    API_KEY = 35
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            Array(
                ("error_code", Int16),
                ("log_dir", String("utf-8")),
                (
                    "topics",
                    Array(
                        ("name", String("utf-8")),
                        (
                            "partitions",
                            Array(
                                ("partition", Int32),
                                ("size", Int64),
                                ("offset_lag", Int64),
                                ("is_future_key", Boolean),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )


class DescribeLogDirsRequest_v1(RequestStruct):  # type: ignore[misc]  # noqa: N801
    """The request, for the given partitions of topics."""

    API_KEY = 35
    API_VERSION = 1
    RESPONSE_TYPE = DescribeLogDirsResponse_v1
    SCHEMA = Schema(("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))))


class DescribeLogDirsRequest(Request[DescribeLogDirsRequest_v1]):  # type: ignore[misc]
    """What is asked for: `topics` as (name, partitions)."""

    API_KEY = 35

    def __init__(self, topics: list[tuple[str, list[int]]]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[DescribeLogDirsRequest_v1]) -> DescribeLogDirsRequest_v1:
        """Return the request in the version that was agreed on."""
        return request_struct_class(self._topics)


def sizes(answer: Any) -> dict[str, int]:
    """Return the bytes that each topic of an answer takes."""
    found: dict[str, int] = {}
    for _, _, topics in answer.results:
        for name, partitions in topics:
            found[name] = found.get(name, 0) + sum(size for _, size, _, _ in partitions)
    return found
