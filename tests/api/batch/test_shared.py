"""Uploads where other processes receive some too: what they may be receiving is not trimmed."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from api.batch.upload import KEPT, LONGEST, Uploads
from api.entry.pressure import Pressure
from rules.limits import MB
from streams.log import Log

NOW = 10**18


class LogOfFour:
    """Notes what is trimmed; each of its partitions ends at 100."""

    partitions = 4

    def __init__(self) -> None:
        self.trimmed: list[Any] = []

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        return 0, 100

    async def trim(self, *asked: Any) -> int:
        self.trimmed.append(asked)
        return 0


def holding(firsts: dict[int, int]) -> Callable[[], Awaitable[dict[int, int]]]:
    """Return what tells the first offsets that jobs hold."""

    async def held() -> dict[int, int]:
        return firsts

    return held


def uploads(log: LogOfFour, *, shared: bool) -> Uploads:
    return Uploads(cast(Log, log), cast(Pressure, None), MB, MB, shared=shared)


async def test_alone_all_goes_that_no_job_and_no_upload_holds() -> None:
    log = LogOfFour()
    await uploads(log, shared=False).trim(holding({1: 40}), NOW)
    assert log.trimmed == [("uploads", {0: 100, 1: 40, 2: 100, 3: 100})]


async def test_beside_others_what_is_young_stays_for_an_upload_may_be_under_way_elsewhere() -> None:
    log = LogOfFour()
    await uploads(log, shared=True).trim(holding({1: 40}), NOW)
    ((_, below, oldest),) = log.trimmed
    assert below == {0: 100, 1: 40, 2: 100, 3: 100}
    assert oldest == NOW // 10**6 - KEPT * 1_000
    assert KEPT > LONGEST, "an upload ends before its first bytes may go"
